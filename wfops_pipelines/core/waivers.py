"""Waivers: for a while, a failing expectation does not hold some rows. People grant them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta

from wfops_pipelines.core.findings import (
    CheckResult,
    Finding,
    Json,
    Outcome,
    Severity,
    counted_rows,
)
from wfops_pipelines.core.reviews import Actor
from wfops_pipelines.errors import BadDecision

LONGEST = timedelta(days=366)


@dataclass(frozen=True, slots=True)
class Waiver:
    """What a person asked to set aside: rows of one expectation, until a moment.

    `words` are the expectation's own: a waiver ends when they change. `seq` is the snapshot whose
    report was read, `review` the request that grants it, where a second person is needed.
    """

    id: str
    sync: str
    seq: int
    expectation: str
    words: str
    keys: tuple[str, ...]
    severity: Severity
    reason: str
    actor: Actor
    at: datetime
    expires_at: datetime
    review: str | None = None

    @property
    def last_day(self) -> date:
        return (self.expires_at - timedelta(seconds=1)).date()

    @property
    def rows(self) -> str:
        return counted_rows(len(self.keys))

    def as_json(self) -> dict[str, Json]:
        return {
            "waiver": self.id,
            "snapshot": self.seq,
            "expectation": self.expectation,
            "words": self.words,
            "keys": list(self.keys),
            "until": self.last_day.isoformat(),
            "review": self.review,
        }


def last_moment(text: str, now: datetime) -> datetime:
    """The end of the UTC day `text` (as 2026-12-31). Raises BadDecision naming the repair."""
    try:
        day = date.fromisoformat(text.strip())
    except ValueError:
        raise BadDecision(f"until: {text!r} is no day. Write it as {now.date()}.") from None
    end = datetime.combine(day, time(), tzinfo=now.tzinfo) + timedelta(days=1)
    if end <= now:
        raise BadDecision(f"until: {day} is over. Name today or a later day.")
    if end > now + LONGEST + timedelta(days=1):
        raise BadDecision(
            f"until: {day} is too far: a waiver counts at most {LONGEST.days} days. What always "
            "fails is better changed in the suite."
        )
    return end


def set_aside(
    findings: Iterable[Finding], results: Sequence[CheckResult], waivers: Sequence[Waiver]
) -> tuple[Finding, ...]:
    """The findings without the rows that are waived, and one finding of severity info for those.

    Only failed rows of the very expectation (same name, same words) are set aside: never an error,
    never what is about the whole snapshot.
    """
    failed = {f"expectation:{r.name}": r for r in results if r.outcome is Outcome.FAILED}
    told: list[Finding] = []
    for finding in findings:
        told += _split(finding, failed, waivers)
    return tuple(told)


def _split(
    finding: Finding, failed: Mapping[str, CheckResult], waivers: Sequence[Waiver]
) -> list[Finding]:
    result = failed.get(finding.check)
    if result is None:
        return [finding]
    left, told = dict.fromkeys(finding.keys), []
    for waiver in waivers:
        covered = [k for k in waiver.keys if k in left] if _is_about(waiver, result) else []
        for key in covered:
            del left[key]
        if covered:
            told.append(_told(finding, waiver, tuple(covered)))
    if told and left:
        return [replace(finding, keys=tuple(left)), *told]
    return told or [finding]


def _is_about(waiver: Waiver, result: CheckResult) -> bool:
    return waiver.expectation == result.name and waiver.words == result.words


def _told(finding: Finding, waiver: Waiver, keys: tuple[str, ...]) -> Finding:
    return Finding(
        check=f"waived:{waiver.expectation}",
        severity=Severity.INFO,
        sentence=(
            f"{waiver.words}: waived for {counted_rows(len(keys))} by {waiver.actor} "
            f"until {waiver.last_day}: {waiver.reason}"
        ),
        column=finding.column,
        measured=len(keys),
        keys=keys,
        details={"waiver": waiver.id},
    )
