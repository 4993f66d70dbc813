"""Links into the Dagster UI and the product's own pages. They lead; they carry no power."""

from __future__ import annotations

from urllib.parse import quote

from wfops_pipelines.core.reviews import Review

LOCATION = "wfops"


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


def decide_launchpad(review: Review) -> str:
    """The Launchpad of the job `decide`, prefilled up to the two fields that a person writes."""
    choices = " | ".join(v.value for v in review.verbs)
    config = (
        f"review: {review.id}\n"
        f"evidence: {review.evidence_hash}\n"
        f"# {choices}\n"
        "decision: \n"
        "# why; the audit trail keeps it\n"
        "reason: \n"
    )
    return f"/locations/{LOCATION}/jobs/decide/playground/setup?config={quote(config, safe='')}"
