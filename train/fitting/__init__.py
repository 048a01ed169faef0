"""Fitting of the linear layer: cached features, optimizers, the training loop, calibration, evaluation."""
