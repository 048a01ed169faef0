"""What there is to classify: which images, in what order, with which labels, in chunks."""
