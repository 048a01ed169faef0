"""The command line: options, the process around them, and what a person sees at a terminal."""
