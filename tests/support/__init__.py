"""What the tests share besides fixtures, and the programs that they start."""
