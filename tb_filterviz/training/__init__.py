"""What the callback knows of a training: when to draw, whether `fit` goes on, which filters died."""
