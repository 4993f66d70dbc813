"""The refresh token that a vendor handed out last, kept for its owner only.

A vendor that rotates takes each refresh token once: what the environment holds is worth nothing
after the first exchange. The newest lies in `<state>/tokens/`, until the environment holds another.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def in_turn(path: Path | None) -> Iterator[None]:
    """Let one process at a time exchange the token: a second exchange would use a spent one."""
    if path is None:
        yield
        return
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    handle = os.open(path.with_suffix(".lock"), os.O_WRONLY | os.O_CREAT, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def newest(path: Path | None, given: str) -> str:
    """The token that came of `given` last, or `given` itself.

    Raises:
        OSError, ValueError: the file is there and cannot be read.
    """
    try:
        kept = json.loads(path.read_text("utf-8")) if path else {}
    except FileNotFoundError:
        return given
    if not isinstance(kept, dict):
        raise ValueError("not what was written")
    return str(kept["token"]) if kept.get("of") == _mark(given) else given


def keep(path: Path | None, given: str, token: str) -> None:
    """Write what came of `given`, durably: the whole of it, or what was there stays."""
    if path is None:
        return
    temporary = path.with_name(f".{uuid.uuid4().hex}.tmp")
    try:
        with os.fdopen(
            os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w"
        ) as file:
            json.dump({"of": _mark(given), "token": token}, file)
            file.flush()
            os.fsync(file.fileno())
        temporary.rename(path)
    finally:
        temporary.unlink(missing_ok=True)


def _mark(given: str) -> str:
    return hashlib.sha256(given.encode()).hexdigest()
