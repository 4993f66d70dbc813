"""A folder in a file system, a bucket or at a web server, opened by fsspec."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import IO, TYPE_CHECKING, Any

from wfops_pipelines.apis.stores import Store, opened

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem

_MARKS = ("size", "mtime", "ino", "ETag", "LastModified", "last_modified", "Last-Modified", "etag")


@dataclass(frozen=True, slots=True)
class Entry:
    """One file: `arrived` is when it was last changed or put here, where the store says it."""

    path: str
    name: str
    size: int | None
    arrived: datetime | None
    mark: str


class Shelf:
    """The files below a store's address, as they are now and not as fsspec remembers them."""

    def __init__(self, store: Store) -> None:
        self._fs: AbstractFileSystem
        self._fs, root = opened(store, skip_instance_cache=True)
        self._root = root.rstrip("/")

    @property
    def web(self) -> bool:
        protocol = self._fs.protocol
        return "http" in ((protocol,) if isinstance(protocol, str) else protocol)

    def entries(self, pattern: str) -> list[Entry]:
        """The files that match, by name. Raises what the file system raises."""
        self._fs.invalidate_cache()
        if not self.web:
            self._fs.info(self._root or "/")  # glob takes a folder that is not there for empty
        found = self._fs.glob(f"{self._root}/{pattern}")
        entries = [self.entry(path) for path in sorted(map(str, found))]
        return [e for e in entries if e is not None]

    def entry(self, path: str) -> Entry | None:
        """The file as it is now; None for a folder."""
        self._fs.invalidate_cache()
        info = self._fs.info(path)
        if info.get("type") == "directory":
            return None
        name = path.removeprefix(self._root).lstrip("/")
        mark = repr([info.get(k) for k in _MARKS] + [self._modified(path, info)])
        return Entry(path, name, info.get("size"), self._arrived(path, info), mark)

    def open(self, entry: Entry, *, packed: bool) -> IO[bytes]:
        """Open a file for reading; `packed` says that its name tells how it is compressed."""
        handle: IO[bytes] = self._fs.open(entry.path, "rb", compression="infer" if packed else None)
        return handle

    def _arrived(self, path: str, info: Mapping[str, Any]) -> datetime | None:
        # A copy may bring an old time of change along: the inode's own time tells when it came.
        local = [info[k] for k in ("mtime", "created") if isinstance(info.get(k), float)]
        if local:
            return datetime.fromtimestamp(max(local), UTC)
        return self._modified(path, info)

    def _modified(self, path: str, info: Mapping[str, Any]) -> datetime | None:
        try:
            if "Last-Modified" in info:
                return parsedate_to_datetime(info["Last-Modified"]).astimezone(UTC)
            found = self._fs.modified(path)
        except (NotImplementedError, AttributeError, KeyError, ValueError, TypeError):
            return None
        return found.astimezone(UTC) if isinstance(found, datetime) and found.tzinfo else None
