import numpy as np

from tb_filterviz.reading.cache import Cache
from tb_filterviz.reading.catalog import Series, Tiles, read_run
from tb_filterviz.reading.decoded import Decoded, Place
from tests.plugin.described import series_of

ABOUT = read_run(series_of((6, 5, 5, 1))).layers[0].about


def test_the_cache_is_bounded_and_forgets_what_has_grown() -> None:
    def decoded(size: int) -> Decoded:
        return Decoded(np.arange(1), np.arange(1.0), np.zeros((1, size), np.uint8))

    def named(tag: str, last_step: int = 0) -> Tiles:
        return Series(tag=tag, about=ABOUT, last_step=last_step, last_wall_time=0.0)

    cache, place = Cache(100), Place(None, "", "run")
    cache.put(place, named("a"), decoded(60))
    cache.put(place, named("b"), decoded(30))
    assert cache.get(place, named("a")) is not None
    cache.put(place, named("c"), decoded(20))
    assert cache.get(place, named("b")) is None  # least recently used
    assert cache.get(place, named("a")) is not None
    assert cache.get(place, named("a", last_step=1)) is None
    assert cache.get(Place(None, "", "other"), named("a")) is None
    cache.put(place, named("d"), decoded(101))
    assert cache.get(place, named("d")) is None
    assert cache.nbytes <= 100
