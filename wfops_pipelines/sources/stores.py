"""A folder in a file system, a bucket or at a web server, opened by fsspec."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import IO, TYPE_CHECKING, Any

from wfops_pipelines.apis.connection import variables
from wfops_pipelines.errors import SettingsError

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem

_MARKS = ("size", "mtime", "ino", "ETag", "LastModified", "last_modified", "Last-Modified", "etag")


@dataclass(frozen=True, slots=True, repr=False)
class Store:
    """Where a system's files are, and fsspec's options for it, which are shown nowhere."""

    url: str
    options: Mapping[str, Any] = field(default_factory=dict)

    def __repr__(self) -> str:
        return "Store('***')"


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
        from fsspec.core import url_to_fs

        self._fs: AbstractFileSystem
        self._fs, root = url_to_fs(store.url, skip_instance_cache=True, **_options(store))
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


def store_for(system: str, environ: Mapping[str, str]) -> Store:
    """Read `WFOPS_<SYSTEM>_URL` and, where it is set, `WFOPS_<SYSTEM>_CREDENTIALS`.

    Raises:
        SettingsError: one cannot be used; names the variable and the repair.
    """
    name = variables(system)[0]
    url = environ.get(name, "").strip()
    example = f"export {name}=/srv/exports (or s3://bucket/exports, https://host/exports)"
    if not url:
        raise SettingsError(f"{name} is not set. Repair: {example}")
    if "://" not in url and not url.startswith("/"):
        raise SettingsError(f"{name}: not an absolute path and not an address. Repair: {example}")
    if any(c in url for c in "*?["):
        raise SettingsError(f"{name}: patterns belong into the sync. Repair: {example}")
    return Store(url, _credentials(name.removesuffix("URL") + "CREDENTIALS", environ))


def _credentials(name: str, environ: Mapping[str, str]) -> dict[str, Any]:
    text = environ.get(name, "").strip()
    try:
        found = json.loads(text) if text else {}
        if not isinstance(found, dict):
            raise ValueError
    except ValueError:
        raise SettingsError(
            f"{name}: not a JSON object. Repair: write fsspec's options for this kind of store, "
            f'as {name}=\'{{"key": "…", "secret": "…"}}\' for S3'
        ) from None
    return found


def _options(store: Store) -> dict[str, Any]:
    web = store.url.startswith(("http://", "https://"))
    # A redirect could lead credentials anywhere.
    return {"allow_redirects": not store.options, **store.options} if web else dict(store.options)


@contextmanager
def imported(system: str) -> Iterator[None]:
    """Say which package a kind of store needs. Raises SettingsError."""
    try:
        yield
    except ImportError as error:
        name = variables(system)[0]
        said = " ".join(str(error).split())[:200]
        raise SettingsError(
            f"{name}: this kind of store needs another package ({said}). Repair: install it "
            "beside wfops-pipelines"
        ) from None
    except ValueError as error:
        if "rotocol" not in str(error):
            raise
        raise SettingsError(
            f"{variables(system)[0]}: fsspec knows no such kind of address. Repair: use a path, "
            "or s3://, gs://, abfs://, sftp://, https://"
        ) from None
