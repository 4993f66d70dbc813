"""A reviewer at work: from the asset's page to the released rows, in the real Dagster UI."""

import os
import re
import signal
import subprocess
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from playwright.sync_api import Page, expect

from tests.acceptance.conftest import Demo, screenshots
from tests.notify.receivers import Webhook

pytestmark = [pytest.mark.acceptance, pytest.mark.components, pytest.mark.timeout(1500)]


def pending(demo: Demo, sync: str, kind: str) -> tuple[str, int]:
    """The id of the pending review request of a sync, and its snapshot's number."""
    found = demo.query(
        f"select id, seq from wfops.reviews where sync = '{sync}' and kind = '{kind}' "
        "and state = 'pending' order by opened_at desc"
    )
    assert len(found) == 1, demo.text
    return found[0][0], found[0][1]


def staged(demo: Demo, sync: str, seq: int) -> list[dict]:
    """The rows of a snapshot as they were staged."""
    ((digest,),) = demo.query(
        f"select digest from wfops.snapshots where sync = '{sync}' and seq = {seq}"
    )
    return pq.read_table(demo.state / "snapshots" / sync / f"{digest}.parquet").to_pylist()


def follow_the_link(page: Page, sync: str, review: str) -> None:
    """Open the asset's page and follow its link to the evidence."""
    page.goto(f"/assets/{sync}/published")
    page.get_by_role("link", name="Read the evidence").first.click()
    page.wait_for_url(f"**/wfops/r/{review}")


def decide(page: Page, decision: str, reason: str) -> None:
    """From the review page through the Launchpad: write two fields and launch."""
    page.get_by_role("link", name="Decide in the Launchpad").click()
    editor = page.locator(".CodeMirror, .cm-editor").first
    expect(editor).to_contain_text("evidence:")
    lines = editor.locator(".CodeMirror-line, .cm-line")
    for line, value in (
        (lines.filter(has_text=re.compile("^decision:")), decision),
        (lines.last, reason),
    ):
        line.click()
        page.keyboard.press("End")
        page.keyboard.type(value)
        page.keyboard.press("Escape")
    page.get_by_role("button", name="Launch Run").click()
    page.wait_for_url("**/runs/*")


def finish(page: Page, demo: Demo) -> str:
    """Wait for the run on the page to end; its status."""
    run = page.url.rstrip("/").rpartition("/")[2].partition("?")[0]
    return demo.dagster.wait(run)


def test_the_summary_says_what_was_published_and_where_to_approve_the_rest(demo: Demo):
    assert re.search(
        r"crm_contacts +[\d,]+ rows from \d+ snapshots → table crm.contacts", demo.text
    )
    assert "an invoice above 5,000.00" in demo.text
    assert "a message to a customer" in demo.text
    assert re.search(r"amount_due.*\n +approve or reject: http://127", demo.text)


def test_the_groups_are_told_and_the_link_only_leads(demo: Demo, hook: Webhook, page: Page):
    waiting = "select id from wfops.reviews where state = 'pending' order by id"
    before = demo.query(waiting)
    assert before
    for (review,) in before:
        hook.hear(f"{demo.ui}/wfops/r/{review}")
    page.goto(f"/wfops/r/{before[0][0]}")
    expect(page.get_by_role("link", name="Decide in the Launchpad")).to_be_visible()
    assert demo.query(waiting) == before


def editor_of(page: Page) -> str:
    """What the Launchpad's editor holds (long lines and all)."""
    editor = page.locator(".CodeMirror, .cm-editor").first
    expect(editor).to_contain_text("evidence:", timeout=60_000)
    return editor.inner_text()


def test_a_draft_stands_beside_its_sources_and_is_edited_in_the_launchpad(demo: Demo, page: Page):
    review, seq = pending(demo, "support_replies", "whole")
    row = staged(demo, "support_replies", seq)[0]
    page.goto(f"/wfops/r/{review}")
    draft = page.locator(f"#draft-{row['ticket_id']}")
    for source in ("row", "customer", "invoices"):
        expect(draft.get_by_text(source, exact=True).first).to_be_visible()
    expect(draft).to_contain_text(row["question"].split("\n")[0])
    expect(draft).to_contain_text(f"Hello {row['customer_name']},")
    expect(draft.locator("h4", has_text="topic")).to_contain_text("% sure")
    page.screenshot(path=screenshots(demo) / "draft.png")
    draft.get_by_role("link", name="Edit in the Launchpad").click()
    assert f"Hello {row['customer_name']}," in editor_of(page)
    assert demo.query("select count(*) from wfops.deliveries") == [(0,)]


def test_a_repair_is_proposed_with_its_reason_and_prefilled(demo: Demo, page: Page):
    review, _ = pending(demo, "crm_contacts", "rows")
    page.goto(f"/wfops/r/{review}")
    expect(page.get_by_text("country could be tidied").first).to_be_visible()
    expect(page.locator("table.rows th", has_text="Confidence")).to_be_visible()
    page.get_by_role("link", name="Make all repairs").click()
    assert '"country"' in editor_of(page)


def test_a_hold_is_routed_by_the_policy_and_says_why(demo: Demo, page: Page):
    review, _ = pending(demo, "billing_invoices", "whole")
    page.goto(f"/wfops/r/{review}")
    expect(page.get_by_text("for the group data (a rule of the policy")).to_be_visible()
    page.get_by_role("link", name="Send to another group").click()
    expect(page.locator(".CodeMirror, .cm-editor").first).to_contain_text(review)


def test_the_dashboard_shows_how_true_the_confidence_was(demo: Demo, page: Page):
    page.goto("/wfops/dashboard")
    expect(page.get_by_role("heading", name="Is the confidence true?")).to_be_visible()
    expect(page.get_by_text("Brier score")).to_be_visible()
    assert page.locator("svg.curve circle").count() > 0
    found = page.request.get("/wfops/api/dashboard").json()
    assert found["reliability"]["brier"] < 0.25
    assert "# EOF" in page.request.get("/wfops/metrics").text()


def test_a_high_impact_invoice_is_approved_and_arrives_as_it_was_staged(demo: Demo, page: Page):
    review, seq = pending(demo, "billing_invoices", "rows")
    ((key,),) = demo.query(f"select keys ->> 0 from wfops.reviews where id = '{review}'")
    before = demo.query(f"select _snapshot_seq from billing.invoices where id = '{key}'")
    assert before != [(seq,)]
    page.goto(f"/wfops/r/{review}")
    expect(page.get_by_text("an invoice above 5,000.00").first).to_be_visible()
    decide(page, "approve", "the contract was checked")
    assert finish(page, demo) == "SUCCESS"
    (original,) = [r for r in staged(demo, "billing_invoices", seq) if r["id"] == key]
    columns = ", ".join(f'"{c}"' for c in original)
    assert demo.query(f"select {columns} from billing.invoices where id = '{key}'") == [
        tuple(original.values())
    ]


def test_an_anomalous_snapshot_is_rejected_and_none_of_it_arrives(demo: Demo, page: Page):
    review, seq = pending(demo, "billing_invoices", "whole")
    ((run,),) = demo.query(f"select run_id from wfops.reviews where id = '{review}'")
    assert demo.dagster.status(run) == "SUCCESS"
    assert demo.dagster.tags(run)["wfops/gate"] == "held"
    follow_the_link(page, "billing_invoices", review)
    expect(page.get_by_text("amount_due").first).to_be_visible()
    page.screenshot(path=screenshots(demo) / "review.png")
    decide(page, "reject", "amounts are in the wrong unit")
    assert finish(page, demo) == "SUCCESS"
    arrived = f"select count(*) from billing.invoices where _snapshot_seq = {seq}"
    assert demo.query(arrived) == [(0,)]
    ((rows,),) = demo.query(
        f"select rows from wfops.quarantine where sync = 'billing_invoices' and seq = {seq}"
    )
    assert rows == len(staged(demo, "billing_invoices", seq))
    page.goto(f"/wfops/r/{review}")
    expect(page.get_by_text("amounts are in the wrong unit").first).to_be_visible()


def test_messages_to_customers_wait_and_are_then_sent_word_for_word(demo: Demo, page: Page):
    review, seq = pending(demo, "support_replies", "whole")
    assert demo.query("select count(*) from wfops.deliveries") == [(0,)]
    follow_the_link(page, "support_replies", review)
    decide(page, "approve", "read all of them")
    assert finish(page, demo) == "SUCCESS"
    sent = demo.query("select key, state from wfops.deliveries")
    assert {k for k, _ in sent} == {
        str(r["ticket_id"]) for r in staged(demo, "support_replies", seq)
    }
    assert {s for _, s in sent} == {"delivered"}


def test_a_second_decision_is_told_that_it_came_late(demo: Demo):
    ((review, evidence),) = demo.query(
        "select id, evidence_hash from wfops.reviews where sync = 'support_replies' "
        "order by opened_at desc limit 1"
    )
    config = {"review": review, "evidence": evidence, "decision": "reject", "reason": "too late"}
    run = demo.dagster.launch("decide", config)
    assert demo.dagster.wait(run) == "FAILURE"
    states = demo.query(f"select state from wfops.reviews where id = '{review}'")
    assert states == [("approved",)]


def test_an_identity_in_the_tags_is_not_believed(demo: Demo):
    run = demo.dagster.launch("decide", {
        "review": "rv-none", "evidence": "x", "decision": "approve", "reason": "x",
    }, {"wfops/identity": "boss|1|forged", "user": "boss"})  # fmt: skip
    demo.dagster.wait(run)
    tags = demo.dagster.tags(run)
    assert tags["user"] == "developer (unverified)"
    assert tags["wfops/identity"].startswith("developer|0|")


@pytest.mark.parametrize("name", ["webserver", "code", "daemon", "database"])
def test_a_killed_process_comes_back_and_nothing_is_lost_or_doubled(demo: Demo, name: str):
    counts = (
        "select (select count(*) from wfops.publications), (select count(*) from wfops.audit), "
        "(select count(*) from billing.invoices), (select count(*) from wfops.deliveries)"
    )
    before = demo.query(counts)
    demo.said.clear()
    os.kill(pid_of(demo, name), signal.SIGKILL)
    demo.hear(rf"{name} +ready again")
    assert demo.query(counts) == before


def pid_of(demo: Demo, name: str) -> int:
    """The process of a service of this demo: the newest that has both words in its command."""
    words = {
        "webserver": "wfops_pipelines.web",
        "code": "code-server start",
        "daemon": "dagster-daemon run",
        "database": "unix_socket_directories",
    }[name]
    for pid in children(demo.process.pid):
        command = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
        if words in command and "warden" not in command:
            return pid
    raise AssertionError(f"no process of {name}")


def children(pid: int) -> list[int]:
    """All descendants of a process, parents first."""
    found = subprocess.run(["ps", "-eo", "pid=,ppid="], capture_output=True, text=True, check=True)
    pairs = [tuple(map(int, line.split())) for line in found.stdout.splitlines()]
    tree, todo = [], [pid]
    while todo:
        parent = todo.pop(0)
        below = [p for p, pp in pairs if pp == parent]
        tree += below
        todo += below
    return tree


def test_stopping_leaves_nothing_behind_and_starting_again_publishes_nothing_twice(demo: Demo):
    from tests.acceptance.conftest import start

    counts = (
        "select (select count(*) from wfops.publications), (select count(*) from wfops.snapshots), "
        "(select count(*) from billing.invoices), (select count(*) from wfops.deliveries)"
    )
    before = demo.query(counts)
    family = children(demo.process.pid)
    assert demo.stop() == 0
    assert [p for p in family if Path(f"/proc/{p}").exists()] == []
    again = start(demo.state)
    again.hear("^Ctrl-C stops everything")
    assert "goes on where the last one stopped" in again.text
    assert again.query(counts) == before
    assert again.stop() == 0
