"""A picture of one digit brought to MNIST's format, step by step."""
