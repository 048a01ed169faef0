"""How files are built, by format: their parts checked before a decoder sees them, and what it needs of them."""
