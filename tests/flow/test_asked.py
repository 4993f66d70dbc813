"""A snapshot knows the stretch that it was extracted for, and so does its profile."""

from datetime import UTC, datetime

import pytest
from sqlalchemy import select

from wfops_pipelines.anomaly import Profile
from wfops_pipelines.store import snapshots
from wfops_pipelines.store import tables as t

pytestmark = pytest.mark.components

FIRST, SECOND = datetime(2026, 5, 1, 8, tzinfo=UTC), datetime(2026, 5, 1, 9, tzinfo=UTC)


def row(id, at):
    return {"id": id, "name": "a name", "amount": 10, "updated_at": at}


def test_the_profile_knows_what_was_new_to_ask_for_whatever_overlap_was_read_again(bench):
    bench.run([row("1", FIRST)])
    now = bench.run([row("1", FIRST), row("2", SECOND)]).judged[-1].snapshot
    taken = bench.source.windows[-1].end
    assert bench.source.windows[-1].start < FIRST
    assert now.asked == (FIRST, taken)
    with bench.services.engine.connect() as conn:
        assert snapshots.get(conn, "things", now.seq).asked == now.asked
        body = conn.execute(select(t.profiles.c.body).where(t.profiles.c.seq == now.seq))
        profile = Profile.from_json(body.scalar_one())
    assert profile.window == (FIRST.timestamp(), taken.timestamp())


def test_a_snapshot_of_an_earlier_version_does_not_say_what_was_asked(bench):
    seq = bench.run([row("1", FIRST)]).judged[-1].snapshot.seq
    with bench.services.engine.begin() as conn:
        conn.execute(t.snapshots.update().values(asked_after=None, asked_upto=None))
        assert snapshots.get(conn, "things", seq).asked is None
