import io

import numpy as np
import pytest
from PIL import Image

from tb_filterviz.imaging.encode import to_png


@pytest.mark.parametrize("channels", [1, 3])
def test_a_png_holds_the_pixels(channels: int) -> None:
    picture = np.random.default_rng(0).integers(0, 255, (6, 5, channels), np.uint8)
    decoded = np.asarray(Image.open(io.BytesIO(to_png(picture))))
    assert np.array_equal(decoded.reshape(picture.shape), picture)
