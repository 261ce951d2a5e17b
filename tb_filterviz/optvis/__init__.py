"""Feature visualization by optimization: a Keras model in, float arrays out."""
