"""Where logs lie, and the records that event files are made of."""
