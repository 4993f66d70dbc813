"""What a process knows of the project: as it was loaded, or, where it follows, as its files are."""

import pytest

from wfops_pipelines import workbench
from wfops_pipelines.settings import Settings

SYNC = """
from wfops_pipelines import Policy, hubspot, sync, table

@sync(source=hubspot("crm", "/x"), key="id", destination=table("crm.{name}"),
      policy=Policy(reviewers="team"))
def {name}(page):
    return page
"""


@pytest.fixture
def write(tmp_path, monkeypatch):
    """`write(sync)` declares one in a project that this process works on."""
    (tmp_path / "reviewers.yaml").write_text("groups:\n  team: [ana]\n")

    def declare(name, text=SYNC):
        for room, file, said in (
            ("expectations", f"{name}.json", f'{{"name": "{name}", "expectations": []}}'),
            ("assets", f"{name}.py", text.replace("{name}", name)),
        ):
            (tmp_path / room).mkdir(exist_ok=True)
            (tmp_path / room / file).write_text(said)

    monkeypatch.setattr(workbench, "settings", lambda: Settings(tmp_path, tmp_path, None, {}))
    monkeypatch.setattr(workbench, "_followed", workbench._Followed())
    workbench._loaded.cache_clear()
    yield declare
    workbench._loaded.cache_clear()


def test_a_code_location_keeps_what_it_loaded(write):
    write("leads")
    assert [*workbench.project().syncs] == ["leads"]
    write("deals")
    assert [*workbench.project().syncs] == ["leads"]


def test_who_follows_sees_a_sync_that_was_added_and_loads_nothing_twice(write):
    write("leads")
    workbench.follow()
    first = workbench.project()
    assert workbench.project() is first
    write("deals")
    assert [*workbench.project().syncs] == ["deals", "leads"]


def test_while_a_file_is_being_written_what_was_there_is_shown_and_said(write):
    write("leads")
    workbench.follow()
    workbench.project()
    write("deals", "def deals(")
    assert [*workbench.project().syncs] == ["leads"]
    assert "deals.py" in workbench.trouble()
    write("deals")
    assert [*workbench.project().syncs] == ["deals", "leads"]
    assert workbench.trouble() == ""


@pytest.mark.components
def test_services_know_who_is_in_a_group_by_now(write, bench, tmp_path, monkeypatch):
    monkeypatch.setattr(workbench, "_opened", lambda: bench.services)
    assert workbench.services().people.members("team") == {"ana"}
    (tmp_path / "reviewers.yaml").write_text("groups:\n  team: [ana, bob]\n  sales: [cyd]\n")
    assert workbench.services().people.members("team") == {"ana", "bob"}
    assert workbench.services().engine is bench.services.engine
