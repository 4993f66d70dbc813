"""The page says the verdict first, hides what is masked, and never runs what the data says."""

import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from tests.report.sample_reports import HOSTILE, hostile, ordinary
from wfops_pipelines.core.findings import Finding, Outcome, Severity
from wfops_pipelines.core.verdict import Hold, Publish
from wfops_pipelines.report import Check, Link, Past, render_report
from wfops_pipelines.report.spark import MOST, spark


class Page(HTMLParser):
    """Tags with their attributes, and the text that a reader sees, in order."""

    def __init__(self, html):
        super().__init__()
        self.tags, self.texts, self.hidden = [], [], 0
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        self.hidden += tag in ("style", "title")

    def handle_endtag(self, tag):
        self.hidden -= tag in ("style", "title")

    def handle_data(self, data):
        if not self.hidden and data.strip():
            self.texts.append(data.strip())

    @property
    def text(self):
        return " ".join(self.texts)


def page_of(report):
    return Page(render_report(report))


def test_the_verdict_stands_first():
    words = page_of(ordinary()).text
    assert words.startswith("Held in part: billing_invoices #61 14 rows held, the other 4,166 may")
    assert page_of(replace(ordinary(), verdict=Publish())).text.startswith("✓ Passed:")
    held = Hold(ordinary().findings[:1])
    said = page_of(replace(ordinary(), verdict=held)).text
    assert "the whole snapshot: 3 of 6 expectations did not pass" in said


def test_the_headline_says_which_section_holds():
    """It said "11 passed, 0 failed" beside "rows that failed", though only the scorer held."""
    odd = Finding("anomaly:row", Severity.CRITICAL, "2 rows are unlike", keys=("1", "2"))
    report = ordinary()
    passed = tuple(
        replace(c, result=replace(c.result, outcome=Outcome.PASSED, failed_keys=(), failed_rows=0))
        for c in report.checks
    )
    held = replace(report, checks=passed, findings=(odd,), verdict=Hold((odd,)))
    words = page_of(held).text
    assert "the whole snapshot: all 6 expectations passed, but 1 other finding holds it" in words
    assert "Flagged rows 2" in words
    assert "Rows that failed" not in words


def test_what_failed_stands_above_what_passed():
    text = page_of(ordinary()).text
    order = ["status is one of", "email is never empty", "amount_due is between", "id is unique"]
    assert [text.index(words) for words in order] == sorted(text.index(words) for words in order)
    assert "there is no column 'status' in the snapshot" in text


def test_every_failing_row_has_every_reason():
    text = page_of(ordinary()).text
    row = text[text.index("Flagged rows id") :]
    first = row[: row.index("1001")]
    assert "critical expected: email is never empty" in first
    assert "warning expected: amount_due is between 0 and 5,000,000" in first


def test_a_row_of_which_the_values_were_not_kept_says_so():
    assert "values not kept" in page_of(ordinary()).text


def test_findings_of_expectations_are_not_told_twice():
    text = page_of(ordinary()).text
    assert "units instead of cents?" in text
    assert "not twice" not in text


def test_a_long_list_of_rows_is_cut_and_says_so():
    report = ordinary()
    keys = tuple(str(i) for i in range(900))
    many = replace(report.checks[1].result, failed_keys=keys, failed_rows=900)
    text = page_of(replace(report, checks=(Check(many),))).text
    assert "The 200 worst of 900" in text


def test_a_sync_without_expectations_has_a_page():
    report = replace(ordinary(), checks=(), findings=(), rows={}, difference=None)
    assert "This sync has no expectations." in page_of(report).text


SECRET = "4929-SECRET"


def masked_report():
    report = ordinary()
    mean = replace(report.checks[4].result, measured=SECRET, column="amount_due")
    error = replace(report.checks[3].result, error=f"bad value {SECRET}", column=None)
    finding = Finding("anomaly", Severity.CRITICAL, f"email was {SECRET}", None, keys=("1000",))
    return replace(
        report,
        checks=(
            report.checks[1],
            Check(mean, (Past(1, Outcome.PASSED, measured=4929.0), Past(2, Outcome.PASSED))),
            Check(error, columns=("email", "id")),
        ),
        findings=(finding, replace(finding, column="email")),
        rows={k: {**v, "email": SECRET, "amount_due": SECRET} for k, v in report.rows.items()},
        difference=replace(report.difference, changes=(("1", "email", SECRET, SECRET),)),
        masked=frozenset({"email", "amount_due"}),
    )


def test_masked_columns_appear_nowhere():
    html = render_report(masked_report())
    assert SECRET not in html
    assert "4,929" not in html
    assert "Masked columns: <bdi>amount_due, email</bdi>" in html


def test_a_masked_key_is_not_shown():
    report = ordinary()
    keys = tuple(f"key-{SECRET}-{i}" for i in range(3))
    failed = replace(report.checks[1].result, failed_keys=keys)
    changes = replace(report.difference, changes=((keys[0], "name", "a", "b"),))
    report = replace(report, checks=(Check(failed),), masked=frozenset({"id"}), difference=changes)
    assert SECRET not in render_report(report)
    assert "row 2 of this list" in render_report(report)


def test_the_page_asks_nobody_for_anything():
    for report in (ordinary(), hostile()):
        tags = page_of(report).tags
        assert not {t for t, _ in tags} & {"script", "img", "iframe", "object", "form", "link"}
        assert not [a for _, attrs in tags for a in attrs if a.startswith("on") or a == "src"]
        policy = next(a["content"] for t, a in tags if a.get("http-equiv"))
        assert policy.startswith("default-src 'none'")


def test_hostile_text_is_text():
    page = page_of(hostile())
    assert HOSTILE[0] in page.text
    assert "{{7*7}}" in page.text
    assert not [t for t, _ in page.tags if t == "script"]
    assert "\u202e" not in page.text
    assert "\x1b" not in page.text


@pytest.mark.parametrize(
    "url",
    [
        "javascript:alert(1)",
        "JavaScript:alert(1)",
        "data:text/html,x",
        "java\tscript:alert(1)",
        "//evil.example",
        "\\\\evil.example",
        " /x",
        "",
    ],
)
def test_a_link_that_is_no_page_is_left_out(url):
    report = replace(ordinary(), links=(Link("go", url), Link("ok", "/wfops/r/1?a=b")))
    links = [a["href"] for t, a in page_of(report).tags if t == "a"]
    assert links == ["/wfops/r/1?a=b"]


def test_half_a_character_does_not_break_the_page():
    report = replace(ordinary(), rows={"1000": {"name": "a\ud800b"}})
    render_report(report).encode("utf-8")


def test_a_trend_is_drawn_and_told():
    history = [Past(i, Outcome.PASSED, 100) for i in range(30)]
    drawn = spark([*history, Past(31, Outcome.FAILED, 100, 50)])
    assert len(drawn.bars) == MOST
    assert drawn.words == f"passed {MOST - 1} of the last {MOST}"
    assert drawn.bars[-1].height > 2 * drawn.bars[0].height
    assert drawn.bars[-1].title == "#31: 50 of 100 rows failed"
    assert all(bar.y >= 0 and bar.y + bar.height <= drawn.height for bar in drawn.bars)


def test_measured_values_are_drawn_as_they_are():
    drawn = spark([Past(i, Outcome.PASSED, 10, measured=v) for i, v in enumerate((1.0, 9.0, 5.0))])
    low, high, middle = (bar.height for bar in drawn.bars)
    assert low < middle < high


def test_nothing_runs_in_a_real_browser(browser, tmp_path):
    file = tmp_path / "report.html"
    file.write_text(render_report(hostile()), encoding="utf-8")
    page = browser.new_page()
    asked, said = [], []
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda message: said.append(message.text))
    page.on("dialog", lambda dialog: said.append(dialog.message))
    page.goto(file.as_uri())
    assert asked == [file.as_uri()]
    assert said == []
    assert page.title() != "run"
    assert page.locator("script, img").count() == 0
    page.close()


@pytest.mark.parametrize(("width", "height"), [(390, 844), (1280, 900)])
def test_the_page_is_as_wide_as_the_window(browser, tmp_path, width, height):
    file = tmp_path / "report.html"
    file.write_text(render_report(hostile()), encoding="utf-8")
    page = browser.new_page(viewport={"width": width, "height": height})
    page.goto(file.as_uri())
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.close()


def test_colours_are_readable_in_both_schemes():
    css = re.sub(r"\s", "", render_report(ordinary()))
    schemes = re.findall(r":root{(--bg.*?)}", css)[:2]
    for scheme in schemes:
        colour = dict(re.findall(r"--(\w+):#([0-9a-f]+)", scheme))
        for ink, paper in [
            ("ink", "card"),
            ("soft", "card"),
            ("soft", "bg"),
            ("bad", "badbg"),
            ("warn", "warnbg"),
            ("good", "goodbg"),
            ("accent", "card"),
            ("ink", "flag"),
        ]:
            assert contrast(colour[ink], colour[paper]) >= 4.5, (ink, paper)


def contrast(one, other):
    def light(colour):
        full = colour if len(colour) == 6 else "".join(2 * c for c in colour)
        parts = [int(full[i : i + 2], 16) / 255 for i in (0, 2, 4)]
        lin = [p / 12.92 if p <= 0.03928 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
        return 0.2126 * lin[0] + 0.7152 * lin[1] + 0.0722 * lin[2]

    low, high = sorted((light(one), light(other)))
    return (high + 0.05) / (low + 0.05)
