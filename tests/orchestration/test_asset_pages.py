"""What is done in a shell is on the asset pages of the Dagster beside it."""

import shutil
from datetime import UTC, datetime
from pathlib import Path

import dagster as dg
import pytest
from typer.testing import CliRunner

from wfops_pipelines import cli
from wfops_pipelines.store.database import has_table

pytestmark = pytest.mark.components

ROOT = Path(__file__).resolve().parents[2]
PUBLISHED = dg.AssetKey(["things", "published"])
STAGED = dg.AssetKey(["things", "staged"])


def row(id, amount=10, day=1):
    moment = datetime(2026, 5, day, 9, tzinfo=UTC)
    return {"id": id, "name": "a name", "amount": amount, "updated_at": moment}


@pytest.fixture
def bench(bench, monkeypatch, database_url):
    shutil.copy(ROOT / "dagster.yaml", bench.project.root)
    (bench.project.root / "assets").mkdir()
    monkeypatch.setenv("WFOPS_POSTGRES_URL", database_url)
    monkeypatch.setenv("WFOPS_PROJECT", str(bench.project.root))
    monkeypatch.setattr(cli, "_open", lambda: (None, bench.project, bench.services))
    monkeypatch.setattr(cli, "_sign", lambda services: None)
    bench.services.environ["WFOPS_DEVELOPER"] = "ana"
    return bench


@pytest.fixture
def instance(bench):
    with dg.DagsterInstance.from_config(str(bench.project.root)) as found:
        yield found


def wfops(bench, *words):
    bench.clock.advance(minutes=15)
    return CliRunner().invoke(cli.app, list(words))


def materialized(instance, key):
    event = instance.get_latest_materialization_event(key)
    return None if event is None else event.asset_materialization


def approval(instance):
    """Whether the check `approval` passes."""
    key = dg.AssetCheckKey(PUBLISHED, "approval")
    found = instance.event_log_storage.get_latest_asset_check_execution_by_key([key])[key]
    return found.evaluation.passed


def observed(instance):
    (record,) = instance.fetch_observations(PUBLISHED, limit=1).records
    return record.asset_observation.metadata


def test_a_release_in_the_shell_is_on_the_asset_page(bench, instance):
    review = bench.held([row("1", -5)])
    wfops(bench, "decide", review.id, "approve", "--reason", "checked")
    told = materialized(instance, PUBLISHED)
    assert told.metadata["dagster/row_count"].value == 1
    assert told.metadata["waiting"].value == 0
    assert approval(instance)


def test_a_rejection_in_the_shell_and_its_end_are_on_the_asset_page(bench, instance):
    review = bench.held([row("1", -5)])
    wfops(bench, "decide", review.id, "reject", "--reason", "wrong")
    assert observed(instance)["gate"].value == "nothing waits for a person"
    assert approval(instance)
    wfops(bench, "reopen", review.id, "--reason", "looked again")
    assert observed(instance)["waiting"].value == 1
    assert not approval(instance)


def test_rows_that_an_approval_left_are_asked_about_again_in_the_shell(bench, instance):
    review = bench.held([row("1", -5), row("2", -5)])
    wfops(bench, "decide", review.id, "approve", "--exclude", "2", "--reason", "checked")
    said = wfops(bench, "reopen", review.id, "--reason", "looked again").output
    assert said.startswith("things #2 was made of the rows that were left in quarantine\n")
    assert "asks again about 1 row that an approval had left out" in said
    assert "decide it: " not in said  # it is for somebody else than who asks
    assert not approval(instance)


def test_a_run_in_the_shell_tells_what_it_staged_and_published(bench, instance):
    bench.source.answer([row("1"), row("2"), row("3", -5)])
    wfops(bench, "run", "things")
    assert materialized(instance, STAGED).metadata["dagster/row_count"].value == 3
    told = materialized(instance, PUBLISHED)
    assert (told.metadata["inserted"].value, told.metadata["waiting"].value) == (2, 1)
    assert not approval(instance)


def test_where_no_dagster_has_run_nobody_is_told_and_nothing_is_made(bench):
    bench.source.answer([row("1")])
    said = wfops(bench, "run", "things").output
    assert said == "things #1: 1 row, published\n"
    with bench.services.engine.connect() as conn:
        assert not has_table(conn, "orchestrator.event_logs")


@pytest.mark.usefixtures("instance")
def test_a_dagster_that_cannot_be_told_stops_nothing(bench):
    (bench.project.root / "dagster.yaml").write_text("storage: nonsense", "utf-8")
    bench.source.answer([row("1")])
    done = wfops(bench, "run", "things")
    assert "things #1: 1 row, published\n" in done.output
    assert "Dagster's asset page tells of this with the next run only" in done.stderr
    assert done.exit_code == 0
