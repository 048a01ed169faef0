"""Data augmentation: distorted and synthetic digits, and outliers."""
