"""Chunks of images classified by the model, in this process or in several."""
