"""The dashboards show what happened, in the page, as JSON and as metrics, and nothing of a row."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from typing import Any

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from wfops_pipelines import Policy
from wfops_pipelines.auditing import seal
from wfops_pipelines.core.reviews import Verb

pytestmark = pytest.mark.components
HOSTILE = '"><script>alert(1)</script>\\n'


def row(n: int, amount: float = 5, name: str = "n") -> dict[str, Any]:
    at = f"2026-06-01T{n // 60:02}:{n % 60:02}:00Z"
    return {"id": n, "name": name, "amount": amount, "updated_at": at}


@pytest.fixture
def lived(make_bench: Any, served: Any) -> tuple[Any, str]:
    """A sync with published, approved, rejected and pending rows."""
    bench = make_bench(Policy(reviewers="team", hold_rows_up_to=0.5, false_holds=0.02))
    bench.run([row(n) for n in range(5)])
    for n in range(6):
        rows = [row(10 + 3 * n), row(11 + 3 * n, -1), row(12 + 3 * n, name=HOSTILE)]
        bench.release(bench.decide(bench.held(rows), Verb.APPROVE if n % 2 else Verb.REJECT))
    bench.held([row(28), row(29, -1), row(30, name=HOSTILE)])
    seal(bench.services)
    return bench, served(bench)


def get(url: str) -> tuple[str, Any]:
    with urllib.request.urlopen(url, timeout=10) as answer:
        return answer.read().decode(), answer.headers


def test_the_json_counts_what_happened(lived):
    _, url = lived
    found = json.loads(get(f"{url}/wfops/api/dashboard/things")[0])
    assert (found["snapshots"], found["held"], found["pending"]) == (
        8,
        7,
        4,
    )  # three overrides wait as well
    assert found["rows"] == 5 + 6 * 2 + 3 + 2
    assert found["days"] == [
        {"day": "2026-06-01", "snapshots": 8, "held": 7, "rows": found["rows"]}
    ]
    assert {(d["verb"], d["n"]) for d in found["decisions"]} == {("approve", 3), ("reject", 3)}
    assert found["answered"] == 6
    assert found["median_wait"] == 0.0
    assert found["causes"][0][1] == 7
    assert found["budget"] == 0.02
    assert found["reliability"]["count"] == 6
    assert found["reliability"]["brier"] is None
    assert found["sealed"] == found["events"] > 20
    everything = json.loads(get(f"{url}/wfops/api/dashboard")[0])
    assert everything["snapshots"] == 8
    assert everything["budget"] is None


def test_an_unknown_sync_is_not_found(lived):
    _, url = lived
    for path in ("dashboard/other", "api/dashboard/other"):
        with pytest.raises(urllib.error.HTTPError, match="404"):
            get(f"{url}/wfops/{path}")


def test_the_metrics_are_openmetrics(lived):
    _, url = lived
    text, headers = get(f"{url}/wfops/metrics")
    assert headers["Content-Type"].startswith("application/openmetrics-text")
    assert text.endswith("# EOF\n")
    samples = {
        (s.name, *sorted(s.labels.values())): s.value
        for family in text_string_to_metric_families(text)
        for s in family.samples
    }
    assert samples["wfops_snapshots_total", "hold", "things"] == 7
    assert samples["wfops_snapshots_total", "publish", "things"] == 1
    assert samples["wfops_rows_published_total", "things"] == 22
    assert samples["wfops_rows_quarantined_total", "things"] == 3
    assert samples["wfops_reviews_pending", "team", "things"] == 4
    assert samples["wfops_decisions_total", "approve", "things"] == 3
    assert samples["wfops_freshness_seconds", "things"] >= 0
    assert samples["wfops_paused", "things"] == 0
    assert samples[("wfops_audit_events_total",)] > 20


def test_nothing_of_a_row_is_in_any_of_them(lived):
    _, url = lived
    for path in ("dashboard", "dashboard/things", "api/dashboard/things", "metrics"):
        text, _ = get(f"{url}/wfops/{path}")
        assert "alert(1)" not in text


def test_an_empty_project_has_a_dashboard_too(bench, served):
    url = served(bench)
    assert "Nothing was scored yet" in get(f"{url}/wfops/dashboard/things")[0]
    assert get(f"{url}/wfops/metrics")[0].endswith("# EOF\n")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_person_reads_it_in_light_and_dark(lived, browser, scheme):
    _, url = lived
    page = browser.new_page(color_scheme=scheme, viewport={"width": 1200, "height": 1400})
    errors: list[str] = []
    page.on("console", lambda m: errors.append(m.text) if m.type == "error" else None)
    page.goto(f"{url}/wfops/dashboard/things")
    assert page.get_by_role("heading", name="things").is_visible()
    bar = page.locator("svg.bars rect").first
    assert bar.bounding_box()["height"] > 20
    ink, paper = (page.evaluate(f"getComputedStyle(document.body).{p}")
                  for p in ("color", "backgroundColor"))  # fmt: skip
    assert ink != paper
    assert errors == []
    page.close()
