"""What filters do on real images: which excite them, how often, for which class, and what hangs on them."""
