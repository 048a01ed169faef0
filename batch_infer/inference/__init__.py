"""Classifying chunks of images with the model, in this process or in several."""
