"""Arrays to pictures, with NumPy and Pillow only."""
