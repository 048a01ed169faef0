"""Predictions as files: formats, files that appear whole or not at all, the lock."""
