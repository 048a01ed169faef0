"""The labels of the inputs, and where they come from: files beside the inputs, names of folders, tables."""
