"""A client of the sandbox's admin endpoints: faults, the clock, and what it has seen."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from urllib.error import HTTPError
from urllib.request import ProxyHandler, Request, build_opener


class SandboxRefused(ValueError):
    """The sandbox does not do what was asked; the message is its own."""


@dataclass(frozen=True, slots=True)
class SandboxClient:
    """Talks to a running sandbox at `url`, for example `http://127.0.0.1:8099`."""

    url: str

    def about(self) -> dict[str, Any]:
        """Return now, seed, first and last day, faults, and counts of comments and requests."""
        found: dict[str, Any] = self._call("GET", "")
        return found

    def now(self) -> datetime:
        """Return the sandbox's time."""
        return datetime.fromisoformat(self.about()["now"])

    def set_fault(
        self, system: str, fault: str, times: int | None = None, **params: Any
    ) -> dict[str, Any]:
        """Ask for a fault, for `times` requests or until deleted.

        A parameter that is a Python keyword is written with an underscore: `from_="paid"`.

        Raises:
            SandboxRefused: an unknown system, fault or parameter.
        """
        named = {name.rstrip("_"): value for name, value in params.items()}
        body = {"system": system, "fault": fault, "times": times, "params": named}
        done: dict[str, Any] = self._call("POST", "/faults", body)
        return done

    def faults(self) -> list[dict[str, Any]]:
        """Return the active faults."""
        found: list[dict[str, Any]] = self._call("GET", "/faults")
        return found

    def clear_faults(self, system: str | None = None) -> None:
        """Delete the faults of one system, or all."""
        self._call("DELETE", f"/faults?system={system}" if system else "/faults")

    def set_clock(self, now: datetime, rate: float = 0.0) -> datetime:
        """Move the sandbox's time; it stands still at `rate` 0, 1 is real speed."""
        done = self._call("POST", "/clock", {"now": now.isoformat(), "rate": rate})
        return datetime.fromisoformat(done["now"])

    def advance(self, by: timedelta) -> datetime:
        """Move the sandbox's time forward (or back) and return it."""
        done = self._call("POST", "/clock", {"advance_seconds": by.total_seconds()})
        return datetime.fromisoformat(done["now"])

    def _call(self, method: str, path: str, body: Any = None) -> Any:
        sent = None if body is None else json.dumps(body).encode()
        headers = {"Content-Type": "application/json"}
        request = Request(f"{self.url}/_sandbox{path}", sent, headers, method=method)  # noqa: S310
        try:
            # No proxies: the sandbox is on this machine.
            with build_opener(ProxyHandler({})).open(request, timeout=30) as answer:
                text = answer.read()
        except HTTPError as error:
            with error:
                raise SandboxRefused(error.read().decode()) from None
        return json.loads(text) if text else None
