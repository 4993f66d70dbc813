"""Files that are being written: told when the disk is full, and swept when their writer died."""

from __future__ import annotations

import errno
import fcntl
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from wfops_pipelines.errors import StateUnwritable

FORGOTTEN = 3600  # seconds after which a file that nobody is writing was left behind by a crash
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS)
_OURS = re.compile(r"\.[0-9a-f]{32}\.(tmp|part)$")


@contextmanager
def writing(folder: Path | str | None) -> Iterator[None]:
    """What a full disk says, with the folder that is meant, as a StateUnwritable."""
    try:
        yield
    except OSError as error:
        if error.errno not in _FULL:
            raise
        raise StateUnwritable(
            f"{folder}: nothing more can be written there ({error.strerror}). Make room, or let "
            "WFOPS_STATE name another folder; then retry."
        ) from error


def shut(file: IO[bytes]) -> None:
    """Close a file that nobody needs any more, whether the rest of it finds room or not."""
    with suppress(OSError):
        file.close()


def claim(file: IO[bytes]) -> None:
    """Let nobody sweep the file while it is open; where locks are unknown, nobody sweeps."""
    with suppress(OSError):
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


def sweep(folder: Path, before: float) -> None:
    """Remove what writers that died left in a folder.

    Only files under a temporary name of ours that were last written `before` (seconds since 1970,
    so that one that was made this moment is not claimed yet) and that no process has claimed.
    """
    for path in folder.iterdir() if folder.is_dir() else ():
        if _OURS.fullmatch(path.name):
            with suppress(OSError):  # another one sweeps as well, or it may not be read
                _remove(path, before)


def _remove(path: Path, before: float) -> None:
    if path.stat().st_mtime >= before:
        return
    with path.open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        path.unlink()
