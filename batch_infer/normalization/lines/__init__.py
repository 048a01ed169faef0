"""Straight lines: ruling and the boxes of forms, told from a digit's own strokes and taken out."""
