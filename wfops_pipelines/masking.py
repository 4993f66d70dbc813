"""What a destination says of rows, without the values of masked columns."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from wfops_pipelines.core.redact import hide, redacted
from wfops_pipelines.destinations import Parcel
from wfops_pipelines.errors import DestinationRefused
from wfops_pipelines.sync import Sync


def named(sync: Sync, key: str) -> str:
    """A row's key as it may be shown."""
    if sync.key not in sync.policy.masked:
        return key
    return veil(key)


def veil(key: str) -> str:
    """A name for a row that tells nothing of its key, and is the same wherever it is shown."""
    return f"sha256:{hashlib.sha256(key.encode()).hexdigest()[:12]}"


def meant(sync: Sync, said: Collection[str], known: Iterable[str]) -> dict[str, str]:
    """By what somebody said, the key of the `known` row that is shown so, or the same."""
    same = {key: key for key in said}
    if not said or sync.key not in sync.policy.masked:
        return same
    return same | {shown: key for key in known if (shown := named(sync, key)) in same}


def without_masked(sync: Sync, text: str, rows: Iterable[Mapping[str, Any]]) -> str:
    """What was said of these rows, without their values of masked columns."""
    values = {str(row[c]) for row in rows for c in sync.policy.masked if row.get(c) is not None}
    return hide(text, sorted(values, key=len, reverse=True))


def told(details: Mapping[str, Any]) -> dict[str, Any]:
    """The details of an audit event as they may be shown where the key is masked."""
    changed: dict[str, Any] = {**details}
    for name in ("exclude", "keys"):
        if isinstance(details.get(name), list):
            changed[name] = [_veiled_once(k) for k in details[name]]
    if isinstance(details.get("cells"), list):
        changed["cells"] = [[_veiled_once(k), column] for k, column in details["cells"]]
    if isinstance(details.get("key"), str):
        changed["key"] = _veiled_once(details["key"])
    return changed


def _veiled_once(key: str) -> str:
    return key if key.startswith("sha256:") else veil(key)


@contextmanager
def masking(sync: Sync, parcel: Parcel) -> Iterator[None]:
    """What a destination refuses it likes to quote: masked columns stay masked."""
    try:
        yield
    except DestinationRefused as error:
        columns = [c for c in sync.policy.masked if c in parcel.columns]
        said = f"{error} {error.exchange} {error.rows}"
        values = {
            text
            for part in (parcel.content.parts(columns) if columns else ())
            for column in part.columns
            for value in column.to_pylist()
            if value is not None and (text := str(value)) and text in said
        }
        quoted = sorted(values, key=len, reverse=True)
        if not quoted:
            raise
        exchange = {k: redacted(v, quoted) for k, v in (error.exchange or {}).items()}
        rows = [replace(row, said=hide(row.said, quoted)) for row in error.rows]
        raise type(error)(hide(str(error), quoted), exchange or None, rows) from None
