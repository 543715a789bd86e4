"""DemandGRU and what it stands on: features, anchor, likelihood, gradients."""
