"""Steps of normalisation: from a picture of any kind to a map of its ink."""
