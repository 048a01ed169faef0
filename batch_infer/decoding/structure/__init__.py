"""The structure of files, by format: parts are checked, and those that the decoder needs are extracted."""
