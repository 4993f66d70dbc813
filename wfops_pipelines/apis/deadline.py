"""A total time for each answer, headers and body.

The time-out of a socket starts anew with every byte: a server that sends one now and then would
hold whoever reads it for ever.
"""

from __future__ import annotations

import io
import socket
import time
from functools import partial
from http.client import HTTPResponse
from typing import Any

from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection

from wfops_pipelines.apis.late import Expired

_AT_ONCE = 65_536  # bytes that are asked for at a time


class Within(HTTPAdapter):
    """Sends requests as HTTPAdapter does; what is not answered within `seconds` in all fails.

    The clock starts when the request is sent. Every attempt has a clock of its own.
    """

    def __init__(self, seconds: float, **more: Any) -> None:
        self._pools = _pools(seconds)
        super().__init__(**more)

    def init_poolmanager(self, *args: Any, **more: Any) -> None:
        super().init_poolmanager(*args, **more)
        self.poolmanager.pool_classes_by_scheme = self._pools

    def proxy_manager_for(self, proxy: str, **more: Any) -> Any:
        manager = super().proxy_manager_for(proxy, **more)
        manager.pool_classes_by_scheme = self._pools
        return manager


def _pools(seconds: float) -> dict[str, Any]:
    answer: Any = partial(_Answer, seconds=seconds)

    class Plain(HTTPConnection):
        response_class = answer

    class Secure(HTTPSConnection):
        response_class = answer

    class PlainPool(HTTPConnectionPool):
        ConnectionCls = Plain

    class SecurePool(HTTPSConnectionPool):
        ConnectionCls = Secure

    return {"http": PlainPool, "https": SecurePool}


class _Answer(HTTPResponse):
    """An answer whose bytes are read through `_Until`."""

    def __init__(self, sock: socket.socket, *args: Any, seconds: float, **more: Any) -> None:
        super().__init__(sock, *args, **more)
        raw = self.fp.detach()
        self.fp = io.BufferedReader(_Until(raw, sock, seconds), _AT_ONCE)


class _Until(io.RawIOBase):
    """Reads from a socket until a moment, whatever trickles in."""

    def __init__(self, raw: io.RawIOBase, sock: socket.socket, seconds: float) -> None:
        self._raw, self._sock, self._seconds = raw, sock, seconds
        self._end = time.monotonic() + seconds

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        own, left = self._sock.gettimeout(), self._end - time.monotonic()
        if left <= 0:
            raise Expired(self._seconds)
        self._sock.settimeout(left if own is None else min(own, left))
        try:
            return self._raw.readinto(buffer)
        except TimeoutError:
            if time.monotonic() >= self._end:
                raise Expired(self._seconds) from None
            raise
        finally:
            self._sock.settimeout(own)

    def close(self) -> None:
        self._raw.close()
        super().close()
