"""The protocol over REST, under /v2, with Triton's binary tensors and compression."""
