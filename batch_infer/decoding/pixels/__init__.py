"""Decoded pixels of any kind → one upright channel of 8 bits, with ink and background apart."""
