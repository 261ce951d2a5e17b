"""What can be exchanged: objectives, tone mappings, statistics, and parts of the ascent.

Each module here holds what a part has to offer, the parts that come with the package, and their names. Wherever a
setting takes a name, it takes an object of one's own as well, which needs no entry anywhere.

Nothing here imports Keras or TensorFlow at its top, so that settings can be made and read without them.
"""
