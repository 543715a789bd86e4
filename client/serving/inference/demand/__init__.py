"""The model `demand`: a forecast worked out afresh by the network, from what the request brings along."""
