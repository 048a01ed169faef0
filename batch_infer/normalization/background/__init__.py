"""What lies under and round the digit: told, taken away, cut off."""
