"""What is known of layers by their kind."""

import keras

CONVOLUTIONS = (
    keras.layers.Conv2D,
    keras.layers.DepthwiseConv2D,
    keras.layers.SeparableConv2D,
    keras.layers.Conv2DTranspose,
)


def is_quantized(layer: keras.Layer) -> bool:
    """Whether its weights are kept in a smaller form."""
    return getattr(layer, "quantization_mode", None) is not None


def is_linear(layer: keras.Layer) -> bool:
    """Whether the layer is known to be linear, up to a constant, in what it is given, before its activation."""
    return type(layer) in (*CONVOLUTIONS, keras.layers.Dense) and not is_quantized(layer)


def is_plain_convolution(layer: keras.Layer) -> bool:
    """Whether it convolves ``[n, h, w, c]`` as Conv2D does, with one kernel for all channels."""
    return (
        type(layer).call is keras.layers.Conv2D.call
        and type(layer).convolution_op is keras.layers.Conv2D.convolution_op
        and layer.groups == 1
        and layer.data_format == "channels_last"
        and not is_quantized(layer)
    )
