"""Reading one image file within limits, decoding it, and reducing it to one channel of 8 bits."""
