"""Which account runs the embedded database: PostgreSQL refuses to be run by root."""

from __future__ import annotations

import os
import pwd
import stat
from dataclasses import dataclass
from pathlib import Path

from wfops_pipelines.errors import SettingsError

UNPRIVILEGED = ("postgres", "nobody")


@dataclass(frozen=True)
class Account:
    """A user id with its primary group; nothing else of the user is taken over."""

    uid: int
    gid: int


def is_root() -> bool:
    """Whether this process may change to other accounts."""
    return os.geteuid() == 0


def unprivileged() -> Account:
    """The account for a new cluster: this user, or an existing unprivileged one for root."""
    if not is_root():
        return Account(os.geteuid(), os.getegid())
    for name in UNPRIVILEGED:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return Account(entry.pw_uid, entry.pw_gid)
    raise SettingsError(
        "PostgreSQL refuses to run as root, and there is no user 'postgres' or 'nobody' to run it. "
        "Set WFOPS_POSTGRES_URL to a server of your own, or run as an ordinary user."
    )


def owner_of(folder: Path) -> Account:
    """The account that owns an existing cluster, so that it goes on as it began.

    Raises SettingsError when this user may not act for that account.
    """
    found = folder.stat()
    if not is_root() and found.st_uid != os.geteuid():
        raise SettingsError(
            f"{folder} belongs to user id {found.st_uid}, and you are {os.geteuid()}. "
            "Run as that user, or use another state folder (WFOPS_STATE)."
        )
    return Account(found.st_uid, found.st_gid)


def make_private(folder: Path, account: Account) -> Path:
    """Make a 0700 folder of that account, or accept one that already is exactly that.

    Raises SettingsError when something else is in its place: in a shared folder such as /tmp
    another user could have put it there.
    """
    try:
        folder.mkdir(mode=0o700)
    except FileExistsError:
        pass
    else:
        if is_root():
            os.chown(folder, account.uid, account.gid)
    found = folder.lstat()
    is_ours = stat.S_ISDIR(found.st_mode) and found.st_uid == account.uid
    if not is_ours or stat.S_IMODE(found.st_mode) & 0o077:
        raise SettingsError(f"{folder} is not a private folder of user id {account.uid}: remove it")
    return folder
