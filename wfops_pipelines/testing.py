"""Public test doubles: sources that answer from memory and a clock that stands still."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from wfops_pipelines.sources import Connection, Window, connection_for

Page = list[dict[str, Any]]


@dataclass(eq=False)
class FakeSource:
    """A source whose next answers are `pages`, whatever the window; or which fails with `error`.

    `windows` collects what it was asked for; `windowed` promises that the pages fit them. Its
    connection comes from the environment, as for every source: see `connection`.
    """

    pages_: Sequence[Page] = ()
    error: Exception | None = None
    system: str = "fake"
    windows: list[Window] = field(default_factory=list)
    windowed: bool = False

    def answer(self, *pages: Page) -> None:
        """What to answer from now on."""
        self.pages_, self.error = pages, None

    def connect(self, environ: Mapping[str, str]) -> Connection:
        return connection_for(self.system, environ)

    def pages(self, window: Window, connection: Connection) -> Iterator[Page]:  # noqa: ARG002
        self.windows.append(window)
        yield from self.pages_
        if self.error is not None:
            raise self.error

    def connection(self) -> Mapping[str, str]:
        """The environment that this source's connection needs."""
        name = self.system.upper()
        return {f"WFOPS_{name}_URL": "http://127.0.0.1:9", f"WFOPS_{name}_TOKEN": "not-a-secret"}


@dataclass
class FrozenClock:
    """A clock that only `advance` moves."""

    now: datetime = datetime(2026, 6, 1, 12, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def advance(self, **by: float) -> None:
        """Move the clock, by the arguments of `timedelta`."""
        self.now += timedelta(**by)
