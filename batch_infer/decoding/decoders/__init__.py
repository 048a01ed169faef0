"""The decoders: one module for each format that needs more than Pillow's own."""
