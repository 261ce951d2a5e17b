"""A network made by hand, of which is known what each filter answers to which image, and images for it."""

import keras
import numpy as np
import numpy.typing as npt

EDGE, BLOB, DOT, DEAD, ALWAYS = range(5)  # filters
EDGES, BLOBS, DOTS = range(3)  # classes
OF_EACH = 12  # images


def network() -> keras.Model:
    """Five filters of 3 x 3 on images of 12 x 12, their strongest units, and three classes of these."""
    image = keras.Input((12, 12, 1), name="image")
    maps = keras.layers.Conv2D(5, 3, activation="relu", name="made")(image)
    strongest = keras.layers.GlobalMaxPooling2D()(maps)
    model = keras.Model(image, keras.layers.Dense(3, activation="softmax", name="told")(strongest))
    kernel = np.zeros((3, 3, 1, 5), np.float32)
    kernel[:, 0, 0, EDGE], kernel[:, 2, 0, EDGE] = -1, 1
    kernel[..., 0, BLOB] = 1
    kernel[1, 1, 0, DOT] = 1
    kernel[1, 1, 0, DEAD] = 1
    bias = np.array([-2.75, -6.9, -1.5, -100, 0.5], np.float32)
    model.get_layer("made").set_weights([kernel, bias])
    weights = np.zeros((5, 3), np.float32)
    weights[EDGE, EDGES] = weights[BLOB, BLOBS] = weights[DOT, DOTS] = 10
    model.get_layer("told").set_weights([weights, np.array([0.2, 0.1, 0], np.float32)])
    model.compile("sgd", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def images() -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int32]]:
    """Bars, squares and dots, each a little stronger than the one before, each at a place of its own.

    A bar of two columns, dark on its left, makes the edge detector answer 3 times its strength, less 2.75, at all of
    its rows and in two columns; a square of 3 x 3, too weak for that, the blob detector 9 times its strength, less 6.9,
    at one place; a dot, brighter than all else, its own detector, by its strength less 1.5. Nothing makes another's.
    """
    shown, labels = [], []
    for number in range(OF_EACH):
        strength, place = 0.8 + number / 100, 1 + number % 7  # of squares
        bar, square, dot = np.zeros((3, 12, 12, 1), np.float32)
        bar[:, place + 2 : place + 4] = strength + 0.2
        square[place : place + 3, 2:5] = strength
        dot[place, 7] = 2 * strength
        shown += [bar, square, dot]
        labels += [EDGES, BLOBS, DOTS]
    return np.stack(shown), np.array(labels, np.int32)
