"""Real images that a model is shown: what they are, read from wherever they are, and as the log holds them."""
