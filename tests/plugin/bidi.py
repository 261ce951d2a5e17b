"""A browser's own protocol, WebDriver BiDi (https://w3c.github.io/webdriver-bidi/), over a WebSocket."""

import itertools
import json
import time
from typing import Any

import websocket

from tests.waiting import PATIENCE_S


class BidiError(Exception):
    """What the browser answered instead of a result, or that it does not answer."""


class Connection:
    """Commands to a browser, and the events that it sends in between.

    Args:
        address: of the WebSocket.
        patience_s: how long a command may take.
    """

    def __init__(self, address: str, patience_s: float = PATIENCE_S) -> None:
        self._patience_s = patience_s
        self._ids = itertools.count(1)
        self._events: list[tuple[str, Any]] = []
        # A browser refuses what says that it comes from a page, and a proxy of the machine has no part in this.
        self._socket = websocket.create_connection(
            address, timeout=patience_s, suppress_origin=True, http_no_proxy=["*"]
        )

    def command(self, method: str, **parameters: Any) -> Any:
        """The result of a command.

        Raises:
            BidiError: if the browser refuses it, with the browser's own words, or has gone, or takes too long.
        """
        number, until = next(self._ids), time.monotonic() + self._patience_s
        try:
            self._socket.send(json.dumps({"id": number, "method": method, "params": parameters}))
            while True:
                self._socket.settimeout(max(0.01, until - time.monotonic()))
                said = json.loads(self._socket.recv())
                if said["type"] == "event":
                    self._events.append((said["method"], said["params"]))
                elif said["id"] == number:
                    break
        except websocket.WebSocketTimeoutException as late:
            raise BidiError(f"{method}: no answer within {self._patience_s:g} s") from late
        except (websocket.WebSocketException, OSError, ValueError) as gone:
            raise BidiError(f"{method}: the browser has gone ({gone})") from gone
        if said["type"] == "error":
            raise BidiError(f"{method}: {said['error']}: {said['message']}")
        return said["result"]

    def events(self, method: str) -> list[Any]:
        """What came of an event until the last answer, since this was last asked; it has to be subscribed to."""
        taken = [parameters for name, parameters in self._events if name == method]
        self._events = [event for event in self._events if event[0] != method]
        return taken

    def close(self) -> None:
        self._socket.close(timeout=1)
