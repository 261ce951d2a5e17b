"""What is known of a layer by its class."""

import keras

CONVOLUTIONS = (
    keras.layers.Conv2D,
    keras.layers.DepthwiseConv2D,
    keras.layers.SeparableConv2D,
    keras.layers.Conv2DTranspose,
)

SIGNAL_CONVOLUTIONS = (
    keras.layers.Conv1D,
    keras.layers.DepthwiseConv1D,
    keras.layers.SeparableConv1D,
    keras.layers.Conv1DTranspose,
)

ACTIVATIONS = (  # layers that are nothing else
    keras.layers.Activation,
    keras.layers.ReLU,
    keras.layers.LeakyReLU,
    keras.layers.PReLU,
    keras.layers.ELU,
)

OWN_WAYS = ("call", "convolution_op")  # attributes that another library may have replaced on one layer


def is_as_keras_made_it(layer: keras.Layer) -> bool:
    """Tell whether the layer computes as its class does, with weights as they are."""
    return not (vars(layer).keys() & set(OWN_WAYS)) and getattr(layer, "quantization_mode", None) is None


def is_exact(layer: keras.Layer) -> bool:
    """Tell whether the layer computes in full precision."""
    return layer.compute_dtype in ("float32", "float64")


def is_linear(layer: keras.Layer) -> bool:
    """Tell whether the layer is known to be linear, up to a constant, in what it is given, before its activation."""
    return type(layer) in (*CONVOLUTIONS, keras.layers.Dense) and is_as_keras_made_it(layer)


def is_plain_convolution(layer: keras.Layer) -> bool:
    """Tell whether the layer convolves ``[n, h, w, c]`` as Conv2D does, with one kernel for all channels."""
    return is_convolution(layer) and layer.groups == 1


def is_convolution(layer: keras.Layer) -> bool:
    """Tell whether the layer convolves ``[n, h, w, c]`` as Conv2D does, in groups or not."""
    return (
        isinstance(layer, keras.layers.Conv2D)
        and type(layer).call is keras.layers.Conv2D.call
        and type(layer).convolution_op is keras.layers.Conv2D.convolution_op
        and layer.data_format == "channels_last"
        and is_as_keras_made_it(layer)
    )
