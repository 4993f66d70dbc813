"""Links into the Dagster UI and the product's own pages. They lead; they carry no power."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from urllib.parse import quote

from wfops_pipelines.core.reviews import HOLDS, Review, Verb

LOCATION = "wfops"
# A block, in which `#` and `: ` are a person's own words, as YAML would cut them off elsewhere.
_BLOCK = "|-\n  "
_WORDS = ("reason", "text")
_WHY = f"# why, on the line below `reason`; the audit trail keeps it\nreason: {_BLOCK}"


def review_page(review: str) -> str:
    return f"/wfops/r/{quote(review, safe='')}"


def report_page(sync: str, seq: int) -> str:
    return f"/wfops/reports/{quote(sync, safe='')}/{seq}"


def history_page(sync: str, expectation: str | None = None) -> str:
    path = f"/wfops/history/{quote(sync, safe='')}"
    return path if expectation is None else f"{path}/{quote(expectation, safe='')}"


def asset_page(sync: str, part: str) -> str:
    return f"/assets/{quote(sync, safe='')}/{part}"


def run_page(run_id: str) -> str:
    return f"/runs/{quote(run_id, safe='')}"


def decide_launchpad(
    review: Review,
    verb: Verb | None = None,
    exclude: Sequence[str] = (),
    *,
    among: Sequence[Verb] = (),
    note: str = "",
) -> str:
    """The Launchpad of the job `decide`, prefilled up to what a person writes.

    With `verb`, the answer is filled in too, and only the reason is left; `exclude`: the rows that
    are left out, of which a person may take some away. among: the answers to choose from. note:
    what to know before launching.
    """
    said = f"# {' '.join(note.split())}\n" if note else ""
    rows = f"# these rows are left out\nexclude: {json.dumps([*exclude])}\n" if exclude else ""
    choices = " | ".join(v.value for v in among or review.offered)
    config = (
        f"review: {review.id}\n"
        f"evidence: {review.evidence_hash}\n"
        f"{said}"
        f"# {choices}\n"
        f"decision: {verb.value if verb else ''}\n"
        f"{rows}"
        f"{_WHY}"
    )
    return _launchpad("decide", config)


def edit_launchpad(review: Review, edits: Mapping[str, Mapping[str, str | None]]) -> str:
    """The Launchpad of `decide` with cells to edit, filled in: by row key, then column."""
    rows = "".join(
        f"- key: {json.dumps(key)}\n  set:\n"
        + "".join(f"    {json.dumps(c)}: {_scalar(v)}\n" for c, v in values.items())
        for key, values in edits.items()
    )
    config = (
        f"review: {review.id}\n"
        f"evidence: {review.evidence_hash}\n"
        "decision: approve\n"
        "# what to change; somebody else approves it\n"
        f"edits:\n{rows}"
        f"{_WHY}"
    )
    return _launchpad("decide", config)


def leave_out_launchpad(review: Review, keys: Sequence[str]) -> str:
    """The Launchpad of `decide` that approves all rows but these."""
    config = (
        f"review: {review.id}\n"
        f"evidence: {review.evidence_hash}\n"
        "decision: approve\n"
        "# these stay in quarantine\n"
        f"exclude: {json.dumps([*keys])}\n"
        f"{_WHY}"
    )
    return _launchpad("decide", config)


def decide_many_launchpad(reviews: Sequence[Review]) -> str:
    """The Launchpad of the job `decide_many` for review requests with one cause."""
    listed = "".join(f"- {{review: {r.id}, evidence: {r.evidence_hash}}}\n" for r in reviews)
    choices = " | ".join(v.value for v in reviews[0].offered)
    known = "# to approve despite a failed critical check is an override\n"
    note = known if reviews[0].kind in HOLDS and not reviews[0].hopeless else ""
    config = f"reviews:\n{listed}{note}# {choices}\ndecision: \n{_WHY}"
    return _launchpad("decide_many", config)


def act_launchpad(job: str, review: str, *fields: str) -> str:
    """The Launchpad of `comment`, `assign` or `reopen`, with the fields that a person writes."""
    blank = "".join(f"{f}: {_BLOCK if f in _WORDS else ''}\n" for f in fields)
    return _launchpad(job, f"review: {review}\n{blank}")


def waive_launchpad(sync: str, seq: int, expectation: str, evidence: str) -> str:
    """The Launchpad of `waive` for all failing rows of an expectation; a person says until when."""
    config = (
        f"sync: {sync}\nsnapshot: {seq}\nexpectation: {expectation}\nevidence: {evidence}\n"
        "# only these rows; without this line all that fail\n"
        "# rows: []\n"
        "# the last day on which it counts (UTC), as 2026-12-31\n"
        "until: \n"
        f"{_WHY}"
    )
    return _launchpad("waive", config)


def revert_launchpad(sync: str, seq: int) -> str:
    """The Launchpad of `revert`: somebody else then approves."""
    return _launchpad("revert", f"sync: {sync}\nsnapshot: {seq}\n{_WHY}")


def _scalar(value: str | None) -> str:
    """YAML for a cell: lines as a person edits them where they are plain, else quoted."""
    plain = value and all(line.isprintable() and line == line.rstrip() for line in _lines(value))
    if value is None or not plain or value[0] == " " or value.endswith("\n"):
        return json.dumps(value)
    return "|-\n" + "\n".join(f"      {line}" if line else "" for line in _lines(value))


def _lines(value: str) -> list[str]:
    return value.split("\n")


def _launchpad(job: str, config: str) -> str:
    config = config.rstrip("\n")  # what is typed at the very end belongs to the last line
    return f"/locations/{LOCATION}/jobs/{job}/playground/setup?config={quote(config, safe='')}"
