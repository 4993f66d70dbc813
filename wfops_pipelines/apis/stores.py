"""Where a system's files are, a folder, a bucket or a web server, and what opens it for fsspec."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from wfops_pipelines.apis.connection import variables
from wfops_pipelines.errors import SettingsError

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem


@dataclass(frozen=True, slots=True, repr=False)
class Store:
    """Where a system's files are, and fsspec's options for it, which are shown nowhere."""

    url: str
    options: Mapping[str, Any] = field(default_factory=dict)

    def __repr__(self) -> str:
        return "Store('***')"


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
    return Store(url, _credentials(credentials(system), environ))


def credentials(system: str) -> str:
    """The name of the variable with a store's options."""
    return variables(system)[0].removesuffix("URL") + "CREDENTIALS"


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


def opened(store: Store, **more: Any) -> tuple[AbstractFileSystem, str]:
    """The file system and the place in it. Raises what fsspec does, see `imported`."""
    from fsspec.core import url_to_fs

    system, root = url_to_fs(store.url, **more, **_options(store))
    return system, str(root)


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
