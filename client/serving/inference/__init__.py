"""The Open Inference Protocol v2, over REST and gRPC, for clients of Triton, KServe and MLServer as they are.

REST and gRPC only read and write; what they ask is one `Asked`, what they answer one `Answer`.

    rest/ and rpc/ → repository → shop_model, or demand/ (batching → one thread → network) → answer → rest/ and rpc/

References
----------
https://github.com/kserve/open-inference-protocol, and of Triton's extensions `binary_tensor_data`.
"""
