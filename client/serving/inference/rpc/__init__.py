"""The protocol over gRPC: `inference.GRPCInferenceService`."""
