"""How the linear layer is fitted: cached features, optimizers, the loop, calibration, evaluation."""
