"""Predictions as files: formats, files that appear completely or not at all, the lock."""
