"""A picture of one digit brought to MNIST's formatat, step by step."""
