"""Reports to test with: an ordinary one, and one in which everything is hostile."""

from dataclasses import replace
from datetime import UTC, datetime

from wfops_pipelines.core.findings import CheckResult, Finding, Outcome, Severity
from wfops_pipelines.core.snapshot import Diff, Snapshot
from wfops_pipelines.core.verdict import Hold
from wfops_pipelines.report import Check, Link, Past, Report

NOW = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
HOSTILE = (
    "<script>document.title='run'</script>",
    '"><img src=x onerror="document.title=\'run\'">',
    "</style><script>document.title='run'</script>",
    "'-alert(1)-'{{7*7}}{% raw %}${7*7}",
    '=HYPERLINK("http://evil.example","x")',
    "\u202egnp.exe\x00\x1b[31m",
)


def trend(outcomes, measured=()):
    signs = {".": Outcome.PASSED, "x": Outcome.FAILED, "!": Outcome.ERROR}
    values = iter(measured)
    return tuple(
        Past(40 + i, signs[s], 4000, 7 * i if s == "x" else 0, next(values, None))
        for i, s in enumerate(outcomes)
    )


def check(name, words, outcome, severity="critical", column=None, history="", past=(), **more):
    result = CheckResult(name, words, outcome, Severity(severity), column, **more)
    return Check(result, trend(history or "." * 20, past), columns=(column,) if column else ())


def ordinary() -> Report:
    keys = tuple(str(1000 + i) for i in range(14))
    failed = {
        "rows": 4180,
        "failed_rows": 14,
        "failed_keys": keys,
        "measured": "14 of 4,180 rows fail",
    }
    checks = (
        check(
            "a", "id is unique", Outcome.PASSED, column="id", rows=4180, measured="all rows pass"
        ),
        check(
            "b",
            "email is never empty",
            Outcome.FAILED,
            column="email",
            history="....................x.x",
            **failed,
        ),
        check(
            "c",
            "amount_due is between 0 and 5,000,000",
            Outcome.FAILED,
            "warning",
            "amount_due",
            history="." * 24,
            rows=4180,
            failed_rows=2,
            failed_keys=("1000", "2000"),
            measured="2 of 4,180 rows fail",
            expected="between 0 and 5,000,000",
        ),
        check(
            "d",
            "status is one of draft, open, paid, void",
            Outcome.ERROR,
            column="status",
            history="......!",
            error="there is no column 'status' in the snapshot",
        ),
        check(
            "e",
            "the mean of amount_due is between 4,000 and 4,500",
            Outcome.PASSED,
            "info",
            "amount_due",
            rows=4180,
            past=[4200 + (i * 37 % 11) * 20.0 for i in range(20)],
            measured=4193.1,
            expected="between 4,000 and 4,500",
        ),
        check("f", "between 50 and 5,000 rows", Outcome.PASSED, measured=4180, rows=4180),
    )
    anomaly = Finding(
        "anomaly",
        Severity.CRITICAL,
        "amount_due: median 41.90, last 30 snapshots (since 2026-01-31) 3,980–4,410 "
        "(÷100: units instead of cents?)",
        "amount_due",
    )
    row = {"id": 1000, "email": None, "name": "Ada Ünal", "amount_due": 6_200_000, "tags": ["vip"]}
    return Report(
        snapshot=Snapshot("billing_invoices", 61, "9f3c" * 16, 4180, NOW),
        verdict=Hold((anomaly,), frozenset(keys)),
        checks=checks,
        columns=("id", "email", "name", "amount_due", "tags", "updated_at"),
        key="id",
        written_at=NOW,
        findings=(anomaly, Finding("expectation:b", Severity.CRITICAL, "not twice", keys=keys)),
        rows={k: {**row, "id": int(k), "updated_at": "2026-03-01T22:14:03Z"} for k in keys},
        difference=Diff(312, 87, 3781, 0, (("1002", "email", "a@example.com", None),)),
        published_seq=60,
        suite_digest="ab12" * 16,
        links=(
            Link("Review this snapshot", "/wfops/r/rv-01"),
            Link("Failing rows (CSV)", "rows.csv"),
        ),
    )


def hostile() -> Report:
    base = ordinary()
    evil = "".join(HOSTILE)
    result = replace(
        base.checks[1].result,
        name=evil,
        words=evil,
        failed_keys=HOSTILE,
        measured=evil,
        expected=evil,
        column=evil,
    )
    error = replace(base.checks[3].result, error=evil, words=evil)
    return replace(
        base,
        snapshot=replace(base.snapshot, sync=evil, digest=evil),
        checks=(Check(result, base.checks[1].trend, history="javascript:alert(1)"), Check(error)),
        columns=("id", *HOSTILE),
        key=evil,
        findings=(Finding(evil, Severity.CRITICAL, evil, evil, keys=(HOSTILE[0],)),),
        rows={key: dict.fromkeys(HOSTILE, evil) for key in HOSTILE},
        difference=Diff(changes=((evil, evil, evil, evil),)),
        suite_digest=evil,
        masked=frozenset({HOSTILE[3]}),
        links=(
            Link(evil, "javascript:document.title='run'"),
            Link("data", "data:text/html,<script>1</script>"),
            Link("tab", "java\tscript:alert(1)"),
            Link("other host", "//evil.example"),
            Link("quoted", '/x"onclick="document.title=1'),
        ),
    )
