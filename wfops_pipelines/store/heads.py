"""Signed heads of the audit trail, in a file outside the database, and the key that signs them."""

from __future__ import annotations

import fcntl
import json
import os
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from wfops_pipelines.core.verifier import Head
from wfops_pipelines.errors import SettingsError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey


@dataclass(frozen=True, slots=True)
class Vault:
    """Where the heads are kept and what signs them; `old_keys` signed before.

    `key` None: a key beside the heads, made when the first head is signed.
    """

    file: Path
    key: Path | None = None
    old_keys: tuple[str, ...] = ()

    @property
    def key_file(self) -> Path:
        return self.key or self.file.with_name("head.key")


@contextmanager
def locked(vault: Vault) -> Iterator[int]:
    """The heads file, open to append, while no other process has it so."""
    vault.file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    handle = os.open(vault.file, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield handle
    finally:
        os.close(handle)


def read(vault: Vault) -> list[Head]:
    """Every head in the file; a line that a crash tore is passed over."""
    try:
        lines = vault.file.read_bytes().splitlines()
    except FileNotFoundError:
        return []
    return [h for h in map(parse, lines) if h is not None]


def parse(line: str | bytes) -> Head | None:
    """A head from its JSON, or None when it is none."""
    try:
        said = json.loads(line)
        n, texts = said["n"], [said[k] for k in ("hash", "at", "key", "signature")]
    except (ValueError, KeyError, TypeError):
        return None
    whole = type(n) is int and all(isinstance(t, str) for t in texts)
    return Head(n, *texts) if whole else None


def line(head: Head) -> str:
    return json.dumps(asdict(head))


def last(handle: int) -> Head | None:
    """The newest head in the open file: the end of a file that only grows."""
    size = os.fstat(handle).st_size
    tail = os.pread(handle, 4096, max(0, size - 4096)).splitlines()
    return next((h for h in map(parse, reversed(tail)) if h is not None), None)


def write(handle: int, head: Head) -> None:
    """Append a head durably, on a line of its own even after a torn one."""
    size = os.fstat(handle).st_size
    torn = size > 0 and os.pread(handle, 1, size - 1) != b"\n"
    os.write(handle, (b"\n" if torn else b"") + line(head).encode("ascii") + b"\n")
    os.fsync(handle)


def sign(vault: Vault, n: int, hash: str, at: str, *, first: bool) -> Head:
    """A signed head. Only the very `first` one may make the key.

    Raises SettingsError when the key is missing, unreadable or open to everybody.
    """
    if first and vault.key is None:
        _make_key(vault.key_file)
    key = _load(vault.key_file)
    head = Head(n, hash, at, key.public_key().public_bytes_raw().hex(), "")
    return replace(head, signature=key.sign(head.message).hex())


def public_keys(vault: Vault) -> Sequence[str]:
    """The keys whose heads count, the present one first; none before anything was signed."""
    if vault.key is None and not vault.key_file.exists() and not read(vault):
        return ()
    key = _load(vault.key_file).public_key().public_bytes_raw().hex()
    return (key, *vault.old_keys)


def good_signature(key: str, signature: str, message: bytes) -> bool:
    """As `core.ed25519.ed25519_verify`, thirty times as fast."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    try:
        public = Ed25519PublicKey.from_public_bytes(bytes.fromhex(key))
        public.verify(bytes.fromhex(signature), message)
    except (ValueError, InvalidSignature):
        return False
    return True


def _make_key(path: Path) -> None:
    from cryptography.hazmat.primitives import serialization as s
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    if path.exists():
        return
    key = Ed25519PrivateKey.generate()
    pem = key.private_bytes(s.Encoding.PEM, s.PrivateFormat.PKCS8, s.NoEncryption())
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(pem)
        file.flush()
        os.fsync(file.fileno())


def _load(path: Path) -> Ed25519PrivateKey:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        if stat.S_IMODE(path.stat().st_mode) & 0o007:
            raise SettingsError(f"{path}: everybody can use the audit key. Repair: chmod 600 it.")
        key = load_pem_private_key(path.read_bytes(), None)
    except (OSError, ValueError, TypeError) as error:
        raise SettingsError(
            f"{path}: the audit key cannot be read ({type(error).__name__}). Restore it, or point "
            "WFOPS_AUDIT_KEY_FILE to a new one and name the old public key in WFOPS_AUDIT_OLD_KEYS."
        ) from error
    if not isinstance(key, Ed25519PrivateKey):
        raise SettingsError(f"{path}: the audit key must be an Ed25519 key in PEM.")
    return key
