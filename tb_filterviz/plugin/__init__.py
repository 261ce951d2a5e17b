"""TensorBoard's tab "Filters": read-only, without TensorFlow and Keras."""
