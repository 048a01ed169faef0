"""What the tests share beside fixtures, and the programs that they start."""
