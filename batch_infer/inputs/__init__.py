"""What there is to classify: which images, in which order, with which labels, in chunks."""
