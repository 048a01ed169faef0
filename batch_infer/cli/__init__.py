"""The command line: options, the process around them, and the output at a terminal."""
