"""What the demo drafts: the words of each topic, and the expectations that guard them."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest

from wfops_pipelines.assist import Context
from wfops_pipelines.assist.templates import render
from wfops_pipelines.checks.gx import run_suite
from wfops_pipelines.checks.suite import read_suite
from wfops_pipelines.core.findings import Outcome
from wfops_pipelines.project import load_project

ROOT = Path(__file__).resolve().parents[2]
TOPICS = ("login", "billing", "export", "api", "outage", "howto", "feature", "cancel", None)
INVOICES = [{"number": "A-1"}, {"number": "A-2"}]


@pytest.fixture(scope="module")
def drafting():
    return load_project(ROOT).syncs["support_replies"].assist[-1]


def ticket(n: int, topic: str | None, **changes: object) -> dict[str, object]:
    return {
        "ticket_id": n, "subject": "Help {{ 7 * 7 }}", "question": "?", "topic": topic,
        "urgency": "high" if n % 2 else None, "customer_name": "Ann Bell",
        "customer_email": "ann@acme.example", **changes,
    }  # fmt: skip


def judged(*rows: dict[str, object]) -> dict[str, tuple[str, ...]]:
    """The keys that fail, by expectation."""
    suite = read_suite(ROOT / "expectations/support_replies.json")
    results = run_suite(suite, pa.Table.from_pylist(list(rows)), key="ticket_id")
    assert Outcome.ERROR not in {r.outcome for r in results}, [r.error for r in results]
    return {r.name: r.failed_keys for r in results if r.outcome is Outcome.FAILED}


@pytest.mark.slow
def test_every_draft_meets_what_is_expected_of_replies(drafting):
    rows = [
        ticket(10 * n + len(some), topic)
        for n, topic in enumerate(TOPICS)
        for some in (INVOICES, INVOICES[:1], [])
    ]
    counts = [INVOICES, INVOICES[:1], []] * len(TOPICS)
    for row, some in zip(rows, counts, strict=True):
        found = Context(row, {"customer": [], "invoices": some})
        row["reply"] = render(drafting, found, ()).value
    assert set(judged(*rows)) == {"topic_is_never_empty"}
    billing = [str(r["reply"]) for r in rows if r["topic"] == "billing"]
    assert "2 open invoices (A-1, A-2)" in billing[0]
    assert "one open invoice, A-1" in billing[1]
    assert "no open invoice" in billing[2]
    assert "{{ 7 * 7 }}" in billing[0]


@pytest.mark.slow
def test_a_reply_to_the_wrong_customer_or_with_anothers_address_fails():
    good = "Hello Ann Bell,\n\n" + "we look into it and write to ann@acme.example again. " * 3
    failed = judged(
        ticket(1, "api", reply=good),
        ticket(2, "api", reply=good.replace("Ann Bell", "Bob")),
        ticket(3, "api", reply=good.replace("ann@", "bob@")),
        ticket(4, "api", reply=good + "We promise a refund."),
        ticket(5, "api", reply=good + "See evil.example/pay."),
        ticket(6, "api", reply=good + "<a href=x>pay</a>"),
        ticket(7, "api", reply=good.replace("Ann Bell", "None"), customer_name=None),
        ticket(8, "api", reply=good.replace("Ann Bell", ""), customer_name=""),
    )
    assert failed == {
        "reply_text_to_name": ("2", "7", "8"),
        "reply_text_to_have_no_other_address": ("3",),
        "reply_promises_nothing": ("4",),
        "reply_has_no_links": ("5", "6"),
    }
