"""What hostile data does in a real browser, with the content security policy switched off."""

from datetime import UTC, datetime

import pytest

from tests.report.sample_reports import HOSTILE, hostile
from wfops_pipelines import Policy
from wfops_pipelines.report import render_report

pytestmark = pytest.mark.components

RAN = "window.ran = true"
SCRIPTS = (
    *HOSTILE,
    f"<script>{RAN}</script>",
    f'"><img src=x onerror="{RAN}">',
    f"</title></style></textarea><svg onload='{RAN}'>",
    f"javascript:{RAN}",
    f"[a](javascript:{RAN.replace(' ', '')})",
)


def hostile_rows():
    moment = datetime(2026, 5, 1, tzinfo=UTC)
    clean = [s.replace("\x00", "") for s in SCRIPTS]  # PostgreSQL refuses it: tested at the source
    rows = [{"id": s, "name": s, "amount": -1, "updated_at": moment} for s in clean]
    return [{**row, **{name: name for name in clean[:3]}} for row in rows]


def test_nothing_in_the_data_runs_even_without_the_policy_that_forbids_it(
    make_bench, served, browser
):
    bench = make_bench(Policy(reviewers="team", critical_fields=("name",)))
    review = bench.held(hostile_rows())
    url = served(bench)
    pages = [f"{url}{p}" for p in ("/wfops", f"/wfops/r/{review.id}", "/wfops/reports/things/1")]
    pages += [f"{url}/wfops/history/things", (bench.folder / "000001-report.html").as_uri()]
    context = browser.new_context(bypass_csp=True)
    page = context.new_page()
    problems = []
    page.on("dialog", lambda dialog: (problems.append(dialog.message), dialog.dismiss()))
    page.on("pageerror", lambda error: problems.append(str(error)))
    own = (*pages, f"{url}/wfops/pulse", f"{url}/wfops/pulse/{review.id}")
    page.on("request", lambda r: problems.append(r.url) if r.url not in own else None)
    for address in pages:
        page.goto(address)
        title = page.title()
        assert page.evaluate("window.ran") is None, address
        assert title not in ("run", "")
        foreign = "script:not([data-url^='/wfops/pulse']), img, svg[onload], [onerror]"
        assert page.locator(foreign).count() == 0
        hrefs = page.eval_on_selector_all("a", "as => as.map(a => a.protocol)")
        assert set(hrefs) <= {"http:"}
    context.close()
    assert problems == []


@pytest.mark.parametrize("width", [390, 1280])
def test_the_report_fits_a_phone_and_a_desk(bench, served, browser, width):
    bench.held(hostile_rows())
    context = browser.new_context(viewport={"width": width, "height": 800})
    page = context.new_page()
    page.goto(f"{served(bench)}/wfops/reports/things/1")
    wider = page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
    context.close()
    assert wider <= 0


def test_a_report_in_which_everything_is_hostile_runs_nothing(browser, tmp_path):
    file = tmp_path / "report.html"
    file.write_text(render_report(hostile()), "utf-8", errors="replace")
    context = browser.new_context(bypass_csp=True)
    page = context.new_page()
    asked = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(file.as_uri())
    assert page.evaluate("window.ran") is None
    assert page.title() != "run"
    assert page.locator("script, img, iframe, object, [onerror], [onload]").count() == 0
    assert asked == [file.as_uri()]
    context.close()
