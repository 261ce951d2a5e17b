"""Decoded series, kept as long as they are current and there is room."""

import threading
from collections import OrderedDict

from tb_filterviz.reading.catalog import AnySeries
from tb_filterviz.reading.decoded import Decoded, Place


class Cache:
    """Decoded series, the least recently used dropped first, never more than `limit_bytes` of them."""

    def __init__(self, limit_bytes: int) -> None:
        self._limit = limit_bytes
        self._kept: OrderedDict[tuple[str, str, str], tuple[tuple[int, float], Decoded]] = OrderedDict()
        self._lock = threading.Lock()

    @property
    def nbytes(self) -> int:
        """What is kept now."""
        return sum(decoded.values.nbytes for _, decoded in self._kept.values())

    def get(self, place: Place, series: AnySeries) -> Decoded | None:
        """Find the series, unless it has grown since."""
        key = (place.experiment, place.run, series.tag)
        with self._lock:
            found = self._kept.get(key)
            if found is None or found[0] != (series.last_step, series.last_wall_time):
                return None
            self._kept.move_to_end(key)
            return found[1]

    def put(self, place: Place, series: AnySeries, decoded: Decoded) -> None:
        """Keep it, at the cost of others."""
        key = (place.experiment, place.run, series.tag)
        with self._lock:
            self._kept.pop(key, None)
            if decoded.values.nbytes <= self._limit:
                self._kept[key] = ((series.last_step, series.last_wall_time), decoded)
            while self.nbytes > self._limit:
                self._kept.popitem(last=False)
