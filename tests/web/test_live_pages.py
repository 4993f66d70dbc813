"""Pages that follow what happens, by a script that has no power; and without it, too."""

from datetime import UTC, datetime

import httpx2 as httpx
import pytest
from playwright.sync_api import expect

from wfops_pipelines.core.reviews import Actor, Verb
from wfops_pipelines.deciding import steering

pytestmark = pytest.mark.components


def row(id, amount=-5, minute=0):
    moment = datetime(2026, 5, 1, 9, minute, tzinfo=UTC)
    return {"id": id, "name": "n", "amount": amount, "updated_at": moment}


def test_the_inbox_shows_a_new_request_and_its_end_by_itself(bench, served, browser):
    page = browser.new_page()
    page.goto(f"{served(bench)}/wfops")
    expect(page.get_by_text("Nothing is held")).to_be_visible()
    review = bench.held([row("1")])
    expect(page.get_by_text("1 review request waits")).to_be_visible(timeout=20_000)
    bench.decide(review, Verb.REJECT)
    expect(page.get_by_text("Nothing is held")).to_be_visible(timeout=20_000)
    page.close()


def test_the_review_page_shows_a_comment_and_the_decision_by_itself(bench, served, browser):
    review = bench.held([row("1")])
    page = browser.new_page()
    page.goto(f"{served(bench)}/wfops/r/{review.id}")
    steering.comment(review.id, "asked the vendor", Actor("bob"), bench.services)
    expect(page.get_by_text("asked the vendor")).to_be_visible(timeout=20_000)
    bench.decide(review, Verb.REJECT)
    expect(page.get_by_text("rejected by ana")).to_be_visible(timeout=20_000)
    page.close()


def test_everything_is_there_without_a_script(bench, served, browser):
    review = bench.held([row("1")])
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{served(bench)}/wfops")
    page.get_by_role("link", name="things #1").click()
    assert page.url.endswith(f"/wfops/r/{review.id}")
    expect(page.get_by_role("link", name="Approve (override)")).to_be_visible()
    context.close()


def test_a_reviewer_reaches_every_answer_by_keyboard(bench, served, browser):
    review = bench.held([row("1")])
    page = browser.new_page()
    page.goto(f"{served(bench)}/wfops/r/{review.id}")
    reached = set()
    for _ in range(40):
        page.keyboard.press("Tab")
        reached.add(page.evaluate("document.activeElement.textContent.trim()"))
    assert {
        "Approve (override)",
        "Reject",
        "Decide in the Launchpad",
        "Comment",
        "Assign",
    } <= reached
    page.close()


def test_a_script_on_the_page_could_not_act_for_its_reader(bench, served, browser):
    review = bench.held([row("1")])
    context = browser.new_context()
    page = context.new_page()
    url = served(bench)
    page.goto(f"{url}/wfops/r/{review.id}")
    assert page.evaluate("window.origin") == "null"
    tried = """async url => { try { await fetch(url, {credentials: "include"}); return "read it" }
               catch { return "refused" } }"""
    assert page.evaluate(tried, f"{url}/wfops/api/reviews") == "refused"
    page.evaluate("document.body.innerHTML += '<img src=x onerror=\"window.ran=1\">'")
    page.evaluate("new Promise(done => requestAnimationFrame(() => setTimeout(done)))")
    assert page.evaluate("window.ran") is None
    context.close()


def test_the_pulse_says_nothing_but_that_something_changed(bench, served):
    url = served(bench)
    before = httpx.get(f"{url}/wfops/pulse", headers={"Origin": "null"})
    assert before.status_code == 200
    review = bench.held([row("1")])
    after = httpx.get(f"{url}/wfops/pulse", headers={"Origin": "null"})
    assert after.text != before.text
    assert len(after.text) == 16
    assert httpx.get(f"{url}/wfops/pulse/rv-none").text == ""
    refused = httpx.get(f"{url}/wfops/r/{review.id}", headers={"Origin": "null"})
    assert refused.status_code == 403
    assert httpx.post(f"{url}/wfops/pulse", headers={"Origin": "null"}).status_code == 403
    for path in ("pulse/../api/reviews", "pulse/a/b", "pulse%2f..%2fapi%2freviews", "pulses"):
        beside = httpx.get(f"{url}/wfops/{path}", headers={"Origin": "null"})
        assert beside.status_code == 403, path


@pytest.mark.parametrize("path", ["/wfops", "/wfops/r/{id}"])
def test_only_our_script_with_its_nonce_may_run(bench, served, path):
    review = bench.held([row("1")])
    url = served(bench)
    answers = [httpx.get(url + path.format(id=review.id)) for _ in range(2)]
    policies = [a.headers["content-security-policy"] for a in answers]
    assert policies[0] != policies[1]
    for answer, policy in zip(answers, policies, strict=True):
        nonce = policy.split("'nonce-")[1].split("'")[0]
        assert f'<script nonce="{nonce}"' in answer.text
        assert "allow-same-origin" not in policy
        assert "unsafe" not in policy.split("script-src")[1]
