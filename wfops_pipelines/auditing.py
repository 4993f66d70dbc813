"""The audit trail as a whole: its head signed, everything verified, a bundle for outsiders."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path

from sqlalchemy import Connection

from wfops_pipelines.core.bundle import write_bundle
from wfops_pipelines.core.verifier import (
    Event,
    Head,
    Problem,
    Report,
    check,
    compare_digests,
    digest_claims,
)
from wfops_pipelines.errors import WfopsError
from wfops_pipelines.services import Services
from wfops_pipelines.store import audit, database, heads, snapshots

PROTECT_AGAIN = (
    "find out who took it away; then run `drop trigger if exists audit_head_forward on "
    "wfops.audit_head` as the owner: the next start puts all of them back"
)


class TrailRewritten(WfopsError):
    """The trail does not contain what was signed before: nothing more is signed."""


def seal(services: Services) -> Head | None:
    """Sign the head of the trail, if it has moved since the last time; None if it has not.

    Call it after the events' transaction has committed: a crash in between leaves an unsigned tail
    that the next call signs. Raises TrailRewritten when the last signed event is not there as it
    was, and SettingsError when the key cannot be used.
    """
    with heads.locked(services.vault) as file:
        last = heads.last(file)
        with database.still(services.engine) as conn:
            n, hash_ = audit.head(conn)
            kept = audit.hash_of(conn, last.n) if last else None
        if last and kept != last.hash:
            raise TrailRewritten(
                f"event {last.n:,} of the audit trail is not the one that was signed at {last.at}. "
                "Find out with `wfops audit verify`; nothing more is signed until it is repaired."
            )
        if n == (last.n if last else 0):
            return None
        at = services.clock().isoformat()
        head = heads.sign(services.vault, n, hash_, at, first=last is None)
        heads.write(file, head)
    return head


def verify(services: Services, elsewhere: Sequence[Head] = ()) -> Report:
    """Everything that is wrong with the trail, the snapshots and their files.

    `elsewhere` are signed heads from outside the file. Heads must be read before the events: what
    was signed by then had been committed.
    """
    known = [*heads.read(services.vault), *elsewhere]
    problems: list[Problem] = []
    claims: dict[str, tuple[int, str]] = {}
    with database.still(services.engine) as conn:
        events = digest_claims(audit.events(conn, problems), claims)
        report = check(events, known, keys(services), heads.good_signature)
        problems += [_off(t) for t in database.unprotected(conn)]
        found = dict(_digests(conn, services))
    report.problems += [*problems, *compare_digests(claims, found)]
    report.problems.sort(key=lambda p: (p.n is None, p.n))
    return report


def keys(services: Services) -> Sequence[str]:
    """The public keys whose signatures count, the present one first."""
    return heads.public_keys(services.vault)


def _off(trigger: str) -> Problem:
    return Problem(None, trigger, "the trigger that protects the trail is off", PROTECT_AGAIN)


def _digests(conn: Connection, services: Services) -> Iterator[tuple[str, tuple[str, str | None]]]:
    """(snapshot, (digest in the store, SHA-256 of its file)) of every snapshot."""
    for sync, seq, digest in snapshots.digests(conn):
        file = services.folder(sync) / f"{digest}.parquet"
        yield f"{sync} #{seq}", (digest, _sha256(file))


def _sha256(path: Path) -> str | None:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return None


def export(services: Services, path: Path, elsewhere: Sequence[Head] = ()) -> int:
    """Write a bundle that an outsider verifies; returns the number of signed heads in it.

    It holds what is there, broken or not: the outsider's verification says which.
    """
    known = sorted({*heads.read(services.vault), *elsewhere}, key=lambda h: h.n)
    with database.still(services.engine) as conn:
        found = dict(_digests(conn, services))
        events: Iterator[Event] = audit.events(conn, [])
        write_bundle(path, events, known, keys(services), found)
    return len(known)
