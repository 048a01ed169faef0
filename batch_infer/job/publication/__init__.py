"""Where the files of a run go, what is in them, and in which order they appear."""
