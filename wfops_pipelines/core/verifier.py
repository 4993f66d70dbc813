"""What is wrong with an audit trail: the chain, the signed heads, the snapshots' digests.

`wfops audit verify` uses it on the database, and an exported bundle carries it along, so that an
outsider needs nothing but Python's standard library.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from wfops_pipelines.core.ed25519 import ed25519_verify

GENESIS = "0" * 64
REPAIR = (
    "keep the database as it is for whoever investigates, and restore a backup from before; "
    "an exported bundle shows what stood there"
)


@dataclass(frozen=True)
class Event:
    """An event as it is stored: number from 1, canonical JSON, and its hash in the chain."""

    n: int
    body: str
    hash: str

    @property
    def subject(self) -> str:
        try:
            return str(json.loads(self.body)["subject"])
        except (ValueError, KeyError, TypeError):
            return "unreadable"


@dataclass(frozen=True)
class Head:
    """The chain as it was at event `n`, signed. `key` and `signature` are hexadecimal."""

    n: int
    hash: str
    at: str
    key: str
    signature: str

    @property
    def message(self) -> bytes:
        return f"wfops audit head\n{self.n}\n{self.hash}\n{self.at}\n".encode()


@dataclass(frozen=True)
class Problem:
    """What is wrong at event `n` (None: with no single event), about what, and what to do."""

    n: int | None
    subject: str
    words: str
    repair: str = REPAIR

    def __str__(self) -> str:
        where = "" if self.n is None else f"event {self.n:,}"
        about = f" ({self.subject})" if self.subject and where else self.subject
        return f"{where}{about}: {self.words}\n    what to do: {self.repair}"


@dataclass
class Report:
    """What was found. `signed` is the number of the last event that a good head vouches for."""

    events: int = 0
    heads: int = 0
    signed: int = 0
    last: str = GENESIS
    problems: list[Problem] = field(default_factory=list)

    @property
    def unsigned(self) -> int:
        return max(0, self.events - self.signed)


SignatureCheck = Callable[[str, str, bytes], bool]


def link(previous: str, body: str) -> str:
    """The hash of an event: SHA-256 over the hash before it and its canonical JSON."""
    return hashlib.sha256((previous + body).encode("utf-8", "surrogatepass")).hexdigest()


def check(
    events: Iterable[Event],
    heads: Sequence[Head],
    keys: Sequence[str],
    good_signature: SignatureCheck | None = None,
) -> Report:
    """Follow the chain through `events` (in order), and hold it against the signed `heads`.

    `keys` are the public keys that may sign, in hexadecimal.
    """
    report = Report()
    signed = _genuine(heads, keys, good_signature or ed25519_verify, report)
    _walk(events, signed, report)
    _cut_tail(signed, report)
    if report.events and not report.heads:
        report.problems.append(
            Problem(
                None,
                "signed heads",
                "not one signed head is there: nothing outside the database vouches for the trail",
                "put the heads file back. Where this is the first start of a version that signs, "
                "look at `wfops audit log` and sign what is there with `wfops audit sign`",
            )
        )
    return report


def _genuine(
    heads: Sequence[Head], keys: Sequence[str], good: SignatureCheck, report: Report
) -> dict[int, str]:
    """The hash that was signed for each event number; forged heads become problems."""
    signed: dict[int, str] = {}
    for head in sorted(set(heads), key=lambda h: h.n):
        if head.key not in keys:
            words = f"the head signed at {head.at} is by the unknown key {head.key[:16]}…"
            repair = "where the key was replaced, name the old one in WFOPS_AUDIT_OLD_KEYS"
            report.problems.append(Problem(head.n, "signed head", words, repair))
        elif not good(head.key, head.signature, head.message):
            words = f"the head of {head.at} has a wrong signature: it was changed or forged"
            repair = "take the heads from the other place (the heads file, Dagster's event log)"
            report.problems.append(Problem(head.n, "signed head", words, repair))
        elif signed.setdefault(head.n, head.hash) != head.hash:
            words = "two different heads were signed for it: the key was used on a rewritten trail"
            report.problems.append(Problem(head.n, "signed head", words))
    report.heads = len(signed)
    return signed


def _walk(events: Iterable[Event], signed: Mapping[int, str], report: Report) -> None:
    rewritten, before = False, GENESIS
    for event in events:
        missing = event.n != report.events + 1
        if missing:
            report.problems.append(_missing(report.events + 1, event))
        elif link(report.last, event.body) != event.hash:
            report.problems.append(_broken(event, before))
        if event.n in signed and not rewritten:
            rewritten = signed[event.n] != event.hash
            if rewritten:
                report.problems.append(_rewritten(event, report.signed))
            else:
                report.signed = event.n
        before, report.last, report.events = report.last, event.hash, event.n


def _missing(expected: int, event: Event) -> Problem:
    if event.n <= expected:
        return Problem(event.n, event.subject, f"it stands where event {expected:,} should")
    gone = f"{expected:,}" if event.n == expected + 1 else f"{expected:,} to {event.n - 1:,}"
    words = f"deleted: event {gone} is gone; the next one is {event.n:,} ({event.subject})"
    return Problem(expected, "deleted", words)


def _broken(event: Event, before: str) -> Problem:
    """An event that follows the one before the last shows that the last does not belong there."""
    if before != GENESIS and link(before, event.body) == event.hash:
        words = f"it follows event {event.n - 2:,}, not {event.n - 1:,}: one was inserted or moved"
    else:
        words = "edited, inserted or moved: its hash does not follow from the event before it"
    return Problem(event.n, event.subject, words)


def _rewritten(event: Event, agreed: int) -> Problem:
    since = f"between events {agreed + 1:,} and {event.n:,}" if agreed + 1 < event.n else "here"
    words = f"rewritten: its hash is not the one that was signed; the trail was changed {since}"
    return Problem(event.n, event.subject, words)


def _cut_tail(signed: Mapping[int, str], report: Report) -> None:
    last = max(signed, default=0)
    if last > report.events:
        words = f"cut off: event {last:,} was signed, but the trail ends at event {report.events:,}"
        report.problems.append(Problem(report.events + 1, "cut tail", words))


def digest_claims(events: Iterable[Event], into: dict[str, tuple[int, str]]) -> Iterator[Event]:
    """Passes `events` on; collects {snapshot: (event number, digest)} of those that name one."""
    for event in events:
        if '"digest":"' in event.body and (digest := _digest(event)):
            into.setdefault(event.subject, (event.n, digest))
        yield event


def _digest(event: Event) -> str | None:
    """None where the event is about another thing, or was broken: the chain tells that."""
    try:
        digest = json.loads(event.body)["details"]["digest"]
    except (ValueError, KeyError, TypeError):
        return None
    return digest if isinstance(digest, str) else None


def compare_digests(
    claims: Mapping[str, tuple[int, str]], found: Mapping[str, tuple[str, str | None]]
) -> Iterator[Problem]:
    """`found` is {snapshot: (digest in the store, SHA-256 of the file or None)}."""
    restore = "restore the file from a backup, or reject what is held of it and extract again"
    for name, (n, claimed) in claims.items():
        stored, file = found.get(name, ("", None))
        if not stored:
            yield Problem(n, name, "the snapshot is gone from the store, but its event stands")
        elif stored != claimed:
            yield Problem(n, name, "the store names another digest than the event: swapped")
        elif file is None:
            yield Problem(n, name, f"the file {claimed}.parquet is missing", restore)
        elif file != claimed:
            yield Problem(n, name, f"the file {claimed}.parquet is not what was staged", restore)
    for name in found.keys() - claims.keys():
        yield Problem(None, name, "the snapshot is in the store, but no event speaks of it")
