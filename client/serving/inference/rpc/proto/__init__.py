"""Messages of the protocol, generated from `open_inference.proto` by `make proto`."""
