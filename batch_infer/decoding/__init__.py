"""One image file: its bytes read within limits, decoded, reduced to one channel of 8 bits."""
