"""One database cluster on disk: where it lives, how it is made, what a crash left behind."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import secrets
import shutil
from dataclasses import dataclass
from pathlib import Path

from wfops_pipelines.dev import binaries, orphans
from wfops_pipelines.dev.accounts import Account, is_root, make_private, owner_of, unprivileged
from wfops_pipelines.errors import SettingsError

USER = DATABASE = "wfops"
# sun_path holds 107 bytes, "/.s.PGSQL.5432" takes 14. Other characters would need quoting in
# some client's URL.
_PLAIN_PATH = re.compile(r"[A-Za-z0-9/._-]{1,93}")


@dataclass(frozen=True)
class Cluster:
    """The folders of one cluster, and the account that owns and runs it.

    state is the project's state folder, with the password; home holds the data and the socket.
    For root they differ: the account must reach home, and state may lie under /root.
    """

    state: Path
    home: Path
    account: Account

    @property
    def data(self) -> Path:
        return self.home / "data"

    @property
    def password_file(self) -> Path:
        return self.state / "postgres.password"

    def password(self) -> str:
        """The password of USER; raises SettingsError when its file is gone."""
        try:
            return self.password_file.read_text("ascii")
        except FileNotFoundError:
            raise SettingsError(
                f"{self.password_file} is gone, and the database in {self.home} cannot be opened "
                f"without it. Put it back, or remove {self.state / 'postgres'} to begin anew."
            ) from None

    @property
    def sockets(self) -> Path:
        """The folder of the Unix socket: in home, or a short private one when that is too long."""
        inside = self.home / "socket"
        if _PLAIN_PATH.fullmatch(str(inside)):
            return inside
        name = hashlib.sha256(bytes(self.home)).hexdigest()[:16]
        return Path("/tmp") / f"wfops-{name}"  # noqa: S108 - made private, or refused


def make_state_folder(state: Path) -> None:
    """Make the state folder, private because it holds customers' rows and a password.

    Git is told to leave it alone: a project may have no .gitignore.
    """
    try:
        state.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not (ignore := state / ".gitignore").exists():
            ignore.write_text("*\n", "utf-8")
    except OSError as problem:
        raise SettingsError(
            f"cannot make the state folder {state}: {problem.strerror}. "
            "Set WFOPS_STATE to a folder that you can write to."
        ) from problem


def find(state: Path) -> Cluster | None:
    """The cluster of this state folder, or None when it has none yet.

    Raises SettingsError when it belongs to another user, or to the folder this one is a copy of.
    """
    pointer = state / "postgres"
    try:
        if not pointer.is_dir():
            return None
        home = pointer.resolve()
        _refuse_a_copy(state, home)
        data = home / "data"
        return Cluster(state, home, owner_of(data) if data.exists() else unprivileged())
    except PermissionError as problem:
        raise SettingsError(
            f"{problem.filename} belongs to another user. Run as that user, "
            "or use another state folder (WFOPS_STATE)."
        ) from problem


def find_or_make(state: Path) -> Cluster:
    """The cluster of this state folder, made when there is none; takes some seconds then."""
    cluster = find(state) or _lay_out(state)
    for leftover in cluster.home.glob("making-*"):
        shutil.rmtree(leftover, ignore_errors=True)
    if not cluster.data.exists():
        _initialise(cluster)
    return cluster


def remove(state: Path) -> None:
    """Delete the cluster of a state folder, stopping a server that still runs in it."""
    cluster = find(state)
    if cluster is None:
        return
    orphans.stop(cluster.data)
    shutil.rmtree(cluster.home)
    shutil.rmtree(cluster.home.with_suffix(".old"), ignore_errors=True)
    shutil.rmtree(cluster.sockets, ignore_errors=True)
    for file in (state / "postgres", cluster.password_file):
        file.unlink(missing_ok=True)


def _refuse_a_copy(state: Path, home: Path) -> None:
    """A moved state folder takes its cluster along; a copied one must not share it."""
    note = home / "state"
    if not note.exists():
        return
    known = Path(note.read_text("utf-8", "surrogateescape"))
    if known == state:
        return
    with contextlib.suppress(OSError):
        if (known / "postgres").resolve() == home:
            raise SettingsError(
                f"{state} is a copy of {known} and points to the same database. "
                f"Remove {state / 'postgres'} for a new, empty one."
            )
    note.write_text(str(state), "utf-8", "surrogateescape")


def _lay_out(state: Path) -> Cluster:
    account = unprivileged()
    if not is_root():
        return Cluster(state, make_private(state / "postgres", account), account)
    name = hashlib.sha256(bytes(state)).hexdigest()[:16]
    home = binaries.shared_folder() / name
    _put_aside(home)
    home.mkdir(mode=0o711)
    home.chmod(0o711)
    (home / "state").write_text(str(state), "utf-8", "surrogateescape")
    pointer = state / "postgres"
    pointer.unlink(missing_ok=True)
    pointer.symlink_to(home)
    return Cluster(state, home, account)


def _put_aside(home: Path) -> None:
    """The state folder was deleted and begins anew: keep its last cluster, but do not use it."""
    if home.exists():
        orphans.stop(home / "data")
        aside = home.with_suffix(".old")
        shutil.rmtree(aside, ignore_errors=True)
        home.rename(aside)


def _initialise(cluster: Cluster) -> None:
    """Make the data folder under a passing name and rename it when complete."""
    programs = binaries.programs(cluster.account)
    password = secrets.token_urlsafe(24)
    making = make_private(cluster.home / f"making-{os.getpid()}", cluster.account)
    data = make_private(making / "data", cluster.account)
    handed_over = _write_password(making / "password", password, cluster.account)
    _run(cluster, [programs / "initdb", *_initdb_options(data, handed_over)])
    _run(
        cluster,
        [programs / "postgres", "--single", "-D", data, "postgres"],
        f"CREATE DATABASE {DATABASE};\n",
    )
    _write_password(cluster.password_file, password, None)
    data.rename(cluster.data)
    shutil.rmtree(making)


def _initdb_options(data: Path, password_file: Path) -> list[str | Path]:
    return [
        *("-D", data),
        *("-U", USER),
        f"--pwfile={password_file}",
        "--auth=scram-sha-256",
        # each connection pays for these, and they guard passwords that somebody could guess
        "--set=scram_iterations=1",
        "--data-checksums",
        "--encoding=UTF8",
        "--locale=C",
        "--locale-provider=builtin",
        "--builtin-locale=C.UTF-8",
        "--no-instructions",
    ]


def _run(cluster: Cluster, argv: list[str | Path], given: str = "") -> None:
    done = binaries.run(argv, cluster.account, given)
    if done.returncode != 0:
        raise SettingsError(
            f"cannot make the embedded database in {cluster.home}:\n{done.stdout}{done.stderr}"
        )


def _write_password(file: Path, password: str, account: Account | None) -> Path:
    file.unlink(missing_ok=True)
    fd = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with open(fd, "w", encoding="ascii") as out:
        out.write(password)
        if account and is_root():
            os.fchown(fd, account.uid, account.gid)
    return file
