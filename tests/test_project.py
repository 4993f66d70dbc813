"""What is wrong with a project is said with file, field and repair."""

import shutil
from pathlib import Path

import pytest

from wfops_pipelines.errors import ProjectError
from wfops_pipelines.project import load_project, open_project
from wfops_pipelines.validation import problems

ROOT = Path(__file__).resolve().parent.parent
ASSET = "assets/crm_contacts.py"
SUITE = "expectations/crm_contacts.json"


@pytest.fixture
def project(tmp_path):
    for name in ("assets", "expectations", "sensors"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "reviewers.yaml", tmp_path)
    return tmp_path


def edit(project, file, old, new):
    path = project / file
    text = path.read_text("utf-8")
    assert old in text
    path.write_text(text.replace(old, new), "utf-8")


def test_this_project_is_sound(project):
    assert sorted(load_project(project).syncs) == [
        "billing_invoices",
        "crm_contacts",
        "support_replies",
    ]


def test_a_broken_suite_stops_its_own_sync_alone_where_one_is_asked_for(project):
    edit(project, SUITE, "{", "{,")
    with pytest.raises(ProjectError, match=r"crm_contacts\.json"):
        load_project(project)
    opened = load_project(project, lenient=True)
    assert opened.suite("billing_invoices").expectations
    with pytest.raises(ProjectError, match=r"crm_contacts\.json"):
        opened.suite("crm_contacts")
    edit(project, "assets/billing_invoices.py", "Policy(", "Policy(deadline_hours='4h', ")
    with pytest.raises(ProjectError, match="hours above 0"):
        load_project(project, lenient=True)


@pytest.mark.parametrize(
    ("file", "old", "new", "said"),
    [
        (ASSET, "def crm_contacts(", "def contacts(", "or rename the file contacts.py"),
        (ASSET, "def crm_contacts(page):", "def crm_contacts(page)", "line 15: SyntaxError"),
        (ASSET, 'reviewers="revops"', 'reviewers="revop"', "did you mean revops"),
        (ASSET, "false_holds=0.02", "false_holds=2", "policy.false_holds: 2 cannot be"),
        (ASSET, "Policy(critical", "Policy(approvals=3, critical", "3 approvals from a group of 1"),
        (ASSET, '("email",)', '("email")', "with a comma after a single one"),
        (ASSET, "false_holds=0.02", 'false_holds="2%"', "policy.false_holds: '2%' cannot be"),
        (ASSET, "crm.contacts", "billing.invoices", "table billing.invoices is written by"),
        (ASSET, '"*/15 * * * *"', '"every day"', "'every day' is no cron"),
        (ASSET, "Policy(", "Policy(escalate_hours=4, ", "escalate_hours and escalate_to together"),
        (
            ASSET,
            "Policy(",
            "Policy(escalate_hours=4, escalate_to='financ', ",
            "did you mean finance?",
        ),
        (ASSET, "Policy(", "Policy(deadline_hours='4h', ", "hours above 0"),
        (ASSET, "critical_fields=", "critical_field=", "did you mean critical_fields?"),
        (ASSET, "cursor=", "curser=", "did you mean cursor?"),
        (ASSET, "Policy, hubspot", "Polcy, hubspot", "line 1: ImportError"),
        (SUITE, "not_be_null", "not_be_nul", "expect_column_values_to_not_be_null"),
        (SUITE, '"name": "crm_contacts"', '"name": "contacts"', "crm_contacts"),
        (SUITE, '"severity": "critical"', '"severity": "high"', "severity"),
        (SUITE, '"expectations"', '"expectation"', "expectation"),
        ("reviewers.yaml", "groups:", "group:", "no groups are declared"),
        ("reviewers.yaml", "revops: [developer]", "revops: developer", "groups.revops"),
        ("reviewers.yaml", "revops:", "rev ops:", "use letters, digits, - and _"),
        ("reviewers.yaml", "override:", "overide:", "did you mean override?"),
        ("reviewers.yaml", "admin: [developer]", "admin: developer", "roles.admin"),
        ("reviewers.yaml", "roles:", "role:", "role: is not a known field"),
    ],
)
def test_a_mistake_is_named_with_its_repair(project, file, old, new, said):
    edit(project, file, old, new)
    with pytest.raises(ProjectError) as error:
        load_project(project)
    assert said in str(error.value)
    assert Path(error.value.file).name == Path(file).name
    assert "Repair: " in str(error.value)


def test_a_sync_without_a_suite_is_told_what_to_write(project):
    (project / SUITE).unlink()
    with pytest.raises(ProjectError, match=r'write the suite: ."name": "crm_contacts"'):
        load_project(project)


def test_a_suite_without_a_sync_is_told_which_one_was_meant(project):
    (project / SUITE).rename(project / "expectations/crm_contact.json")
    found = [str(p) for p in problems(open_project(project))]
    assert len(found) == 2
    assert "did you mean crm_contacts" in found[1]


def test_all_problems_are_found_at_once(project):
    edit(project, ASSET, 'reviewers="revops"', 'reviewers="nobody"')
    (project / "expectations/billing_invoices.json").unlink()
    assert len(list(problems(open_project(project)))) == 2


def test_two_projects_in_one_process_do_not_mix(project, tmp_path_factory):
    other = tmp_path_factory.mktemp("other")
    shutil.copytree(project, other, dirs_exist_ok=True)
    for room in ("assets", "expectations"):
        for path in list((other / room).glob("[bs]*")):
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    assert list(load_project(other).syncs) == ["crm_contacts"]
    assert len(load_project(project).syncs) == 3


def test_a_sync_in_a_folder_counts_as_well(project):
    (project / "assets/crm_contacts").mkdir()
    (project / ASSET).rename(project / "assets/crm_contacts/__init__.py")
    assert "crm_contacts" in load_project(project).syncs
