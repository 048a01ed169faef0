"""The model: fixed features and one linear layer."""
