"""A retry of what failed while it read from a date reads from that date again."""

import re
from datetime import timedelta
from unittest.mock import Mock

import pytest
from typer.testing import CliRunner

from tests.flow.test_reading_since import FIRST, SINCE, bench, read, rejected, row  # noqa: F401
from wfops_pipelines import cli
from wfops_pipelines.core.reviews import ReviewState
from wfops_pipelines.errors import DestinationUnreachable, SourceRefused
from wfops_pipelines.failing import report_failure

pytestmark = pytest.mark.components
MENDED = row("1", amount=5, at=FIRST + timedelta(hours=1))


@pytest.fixture
def shell(rejected, monkeypatch):  # noqa: F811
    opened = None, rejected.project, rejected.services
    monkeypatch.setattr(cli, "_open", lambda: opened)
    monkeypatch.setattr(cli, "_sign", lambda services: None)
    rejected.services.environ["WFOPS_DEVELOPER"] = "ana"

    def run(*words):
        rejected.clock.advance(minutes=15)
        done = CliRunner().invoke(cli.app, list(words))
        return done.output + (str(done.exception) if done.exception else "")

    run.bench = rejected
    return run


def failed(said):
    return re.search(r"it failed: (rv-\w+)", said)[1]


def test_a_source_that_refused_is_read_from_the_date_again(shell):
    source = shell.bench.source
    source.pages_, source.error = (), SourceRefused("the token is wrong")
    review = failed(shell("run", "things", "--since", "2026-05-01"))
    source.answer([MENDED])
    said = shell("decide", review, "retry", "--reason", "renewed")
    assert "reads again what the source has since 2026-05-01\n" in said
    assert "things #5: 1 row, published" in said
    assert source.windows[-2].start == SINCE


def test_a_second_failure_keeps_the_date(shell):
    source = shell.bench.source
    source.pages_, source.error = (), SourceRefused("the token is wrong")
    review = failed(shell("run", "things", "--since", "2026-05-01"))
    review = failed(shell("decide", review, "retry", "--reason", "renewed"))
    source.answer([MENDED])
    assert "things #5: 1 row, published" in shell("decide", review, "retry", "--reason", "now")


def test_beside_the_request_of_an_ordinary_run_the_list_tells_which_reads_from_the_date(shell):
    source = shell.bench.source
    source.pages_, source.error = (), SourceRefused("the token is wrong")
    ordinary = failed(shell("run", "things"))
    dated = failed(shell("run", "things", "--since", "2026-05-01"))
    summaries = {line.split()[0]: line for line in shell("reviews").splitlines()}
    assert "extraction since 2026-05-01 failed (auth)" in summaries[dated]
    assert "extraction failed (auth)" in summaries[ordinary]


def state(shell, review):
    return shell.bench.review(review).state


def test_a_failed_publication_is_over_when_a_later_run_has_published(shell, monkeypatch):
    destination, down = shell.bench.sync.destination, DestinationUnreachable("it is down")
    shell.bench.source.answer([MENDED])
    with monkeypatch.context() as patch:
        patch.setattr(type(destination), "publish", Mock(side_effect=down))
        review = failed(shell("run", "things", "--since", "2026-05-01"))
    assert state(shell, review) is ReviewState.PENDING
    shell("run", "things")
    assert state(shell, review) is ReviewState.SUPERSEDED


@pytest.mark.parametrize(
    ("since", "over"),
    [
        ((), False),
        (("--since", "2026-05-02"), False),
        (("--since", "2026-05-01T00:00:00Z"), True),
        (("--since", "2026-04-30"), True),
    ],
)
def test_a_failed_reading_is_over_when_a_later_one_reached_as_far_back(shell, since, over):
    source = shell.bench.source
    source.pages_, source.error = (), SourceRefused("the token is wrong")
    review = failed(shell("run", "things", "--since", "2026-05-01"))
    source.answer([MENDED])
    shell("run", "things", *since)
    assert (state(shell, review) is ReviewState.SUPERSEDED) == over


def test_a_run_that_died_while_it_read_from_a_date_is_over_by_one_that_did(shell):
    on = shell.bench
    review = report_failure(
        on.sync, "run", RuntimeError("died"), on.services, "r", since="2026-05-01"
    )
    shell("run", "things")
    assert state(shell, review.id) is ReviewState.PENDING
    shell("run", "things", "--since", "2026-05-01")
    assert state(shell, review.id) is ReviewState.SUPERSEDED
