"""--sort-into: the pictures of a run, sorted into folders by what was predicted."""
