"""`wfops check` says all that does not fit at once, and what it did not look at."""

import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from wfops_pipelines import sync, table
from wfops_pipelines.cli import app
from wfops_pipelines.destinations import rest_destination
from wfops_pipelines.naming import dangling, known_columns
from wfops_pipelines.project import load_project
from wfops_pipelines.testing import FakeSource
from wfops_pipelines.validation import problems
from wfops_pipelines.written import columns_written

ROOT = Path(__file__).resolve().parent.parent
ASSET, SUITE = "assets/crm_contacts.py", "expectations/crm_contacts.json"


@pytest.fixture
def project(tmp_path, monkeypatch):
    for name in ("assets", "expectations", "sensors"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "reviewers.yaml", tmp_path)
    for name in ("WFOPS_PROJECT", "WFOPS_STATE", "WFOPS_POSTGRES_URL"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


def edit(project, file, old, new):
    path = project / file
    text = path.read_text("utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), "utf-8")


def check(project):
    return CliRunner().invoke(app, ["check", str(project)])


def test_mistakes_of_every_kind_are_told_at_once_with_their_repairs(project):
    edit(project, ASSET, '("email",), false_holds', '("emial",), masked=("phon",), false_holds')
    edit(project, ASSET, 'key="id"', 'key="idd"')
    edit(project, ASSET, 'reviewers="revops"', 'reviewers="revop"')
    edit(project, SUITE, '"severity"', '"sevrity"')
    edit(project, SUITE, '"column": "email"', '"column": "mail"')
    edit(project, "assets/billing_invoices.py", "(page):", "(page)")
    edit(project, "sensors/run_failures.py", "import", "imprt")
    found = check(project)
    assert found.exit_code == 1
    for said in (
        "billing_invoices.py: line 18: SyntaxError",
        "crm_contacts.json: expectations[0].sevrity: this key is not known",
        "crm_contacts.json: expectations[2] (mail_is_never_empty): there is no column 'mail'",
        "run_failures.py: line",
        "policy.reviewers: no group is called 'revop'",
        "key: there is no column 'idd' in the rows that crm_contacts returns",
        "(did you mean id?), or let the sync's function return it",
        "policy.critical_fields: there is no column 'emial'",
        "policy.masked: there is no column 'phon'",
    ):
        assert said in found.output
    assert "8 to repair" in found.output
    assert "no sync is called billing_invoices" not in found.output


def test_what_only_follows_from_a_file_that_cannot_be_read_is_not_told(project):
    edit(project, "reviewers.yaml", "groups:", "grups:")
    assert "1 to repair" in check(project).output
    for path in (project / "assets").glob("*.py"):
        path.write_text("1 +")
    shutil.rmtree(project / "assets/support_replies")
    (project / "expectations/support_replies.json").unlink()
    assert "3 to repair" in check(project).output


def test_a_sync_whose_columns_nobody_knows_yet_is_named(project):
    edit(project, ASSET, "return [", "return list(page) or [")
    edit(project, ASSET, 'key="id"', 'key="idd"')
    found = check(project)
    assert found.exit_code == 0
    (said,) = [line for line in found.output.splitlines() if line.startswith("·")]
    assert said.startswith("· crm_contacts: its columns were not checked: its function does not")
    assert "no database answers" in said
    assert said.endswith("What is misspelt is held by its first run: `wfops run crm_contacts`.")


CRM = rest_destination(
    "crm",
    "POST /contacts",
    update="PATCH /contacts/{remote_id}",
    read="GET /teams/{taem}/contacts/{remote_id}",
    body={"email": "{email}", "tags": ["{contry}", {"x": "in {country} of {nobody.name}"}]},
)


def test_the_columns_of_requests_are_checked(project):
    @sync(source=FakeSource(), key="id", destination=CRM, deleted="gone")
    def crm_contacts(page):
        return [{"id": r["id"], "email": "", "country": "", "team": ""} for r in page]

    found = dangling(load_project(project), crm_contacts, "f.py", known_columns(crm_contacts, ()))
    assert [(e.field, e.problem.split("'")[1]) for e in found if e.file == "f.py"] == [
        ("deleted", "gone"),
        ("destination.read", "taem"),
        ("destination.body", "contry"),
        ("destination.body", "nobody"),
    ]


@pytest.mark.parametrize(
    ("update", "cursor", "refused"),
    [(None, None, True), (None, "at", False), ("PATCH /notes/{remote_id}", None, False)],
)
def test_messages_of_a_sync_that_reads_everything_each_time_are_refused(
    project, update, cursor, refused
):
    """All rows would be sent again in each run."""
    to = rest_destination("crm", "POST /notes", update=update, body={"email": "{email}"})

    @sync(source=FakeSource(), key="id", cursor=cursor, destination=to)
    def crm_contacts(page):
        return [{"id": r["id"], "email": "", "at": ""} for r in page]

    loaded = load_project(project)
    loaded.syncs["crm_contacts"] = crm_contacts
    found = [str(e) for e in problems(loaded) if e.field == "cursor"]
    assert len(found) == refused
    assert not found or "would create each again. Repair: name the column" in found[0]


def test_snapshots_tell_the_columns_where_the_function_does_not(project):
    @sync(source=FakeSource(), key="idd", destination=table("a.b"), deleted="gone")
    def crm_contacts(page):
        return page

    columns = known_columns(crm_contacts, ["id", "gone_by", "_deleted"])
    (first, *rest) = dangling(load_project(project), crm_contacts, "f.py", columns)
    assert "no column 'idd' in the snapshots of crm_contacts" in str(first)
    assert all(e.file.endswith("crm_contacts.json") for e in rest)


def test_a_brace_that_stands_alone_is_refused_where_it_is_declared():
    with pytest.raises(ValueError, match=r"Write \{\{ and \}\} where braces stand for themselves"):
        rest_destination("crm", "POST /contacts", body={"note": "a { b"})


def flat(record):
    return {"id": record["id"], "name": record["name"]}


def by_comprehension(page):
    return [{"id": r["id"], "name": (lambda: r["name"])()} for r in page]


def by_appending(page):
    rows = []
    for r in page:
        rows.append({"id": r["id"]})
        if r["name"]:
            rows.append({"id": r["id"], "name": r["name"]})
    return rows


def by_another(page):
    return [flat(r) for r in page]


def by_yielding(page):
    for r in page:
        yield {"id": r["id"], "name": r["name"]}


def as_it_comes(page):
    return page


def with_more(page):
    return [{"id": r["id"], **r["properties"]} for r in page]


def changed_afterwards(page):
    rows = [{"id": r["id"]} for r in page]
    rows[0]["name"] = "x"
    return rows


def by_variable(page):
    found = []
    for r in page:
        row = {"id": r["id"]}
        found.append(row)
    return found


def now_and_then(page):
    if not page:
        return page
    return [{"id": r["id"]} for r in page]


def by_itself(page):
    return [by_itself(r) for r in page]


@pytest.mark.parametrize("function", [by_comprehension, by_appending, by_another, by_yielding])
def test_rows_that_are_written_as_literals_tell_their_columns(function):
    assert columns_written(function) == ("id", "name")


@pytest.mark.parametrize(
    "function",
    [as_it_comes, with_more, changed_afterwards, by_variable, now_and_then, by_itself, len],
)
def test_whatever_else_tells_nothing(function):
    assert columns_written(function) is None
