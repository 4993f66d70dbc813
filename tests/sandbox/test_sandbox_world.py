"""The sandbox's data: the same for the same seed, and believable."""

from __future__ import annotations

import random
from collections import Counter
from datetime import date, timedelta
from statistics import mean, median

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wfops_pipelines.sandbox import NOW, SEED
from wfops_pipelines.sandbox.contacts import contacts
from wfops_pipelines.sandbox.history import Life, cut, view
from wfops_pipelines.sandbox.server import world_of
from wfops_pipelines.sandbox.world import World

NOW_MS = int(NOW.timestamp() * 1000)
DAY_MS = 86_400_000


@pytest.fixture(scope="module")
def world() -> World:
    return world_of(SEED, NOW)


@pytest.fixture(scope="module")
def changed(world: World) -> dict[str, Counter[int]]:
    """Count the records that a reader at the end of each day sees changed on it."""
    return {
        system: Counter(day for life in lives for day in {at // DAY_MS for at in life.times})
        for system, lives in world.lives.items()
    }


def last_days(count: int) -> list[date]:
    return [NOW.date() - timedelta(days=n) for n in range(count, 0, -1)]


def test_the_same_seed_gives_the_same_data_at_any_hour_and_another_seed_does_not(world):
    again = World.made(SEED, NOW + timedelta(hours=9, minutes=7))
    assert again.lives == world.lives
    assert contacts(SEED + 1, world.span) != world.lives["crm"]


def test_there_are_months_before_now_and_weeks_after(world):
    assert (NOW.date() - world.span.first).days >= 120
    assert world.span.days >= 120 + 30


def test_every_life_goes_forward_in_time(world):
    for lives in world.lives.values():
        for life in lives:
            assert all(a < b for a, b in zip(life.times, life.times[1:], strict=False))
        assert len({life.id for life in lives}) == len(lives)


@pytest.mark.parametrize(
    ("system", "low", "high"), [("crm", 150, 260), ("billing", 120, 330), ("support", 40, 120)]
)
def test_a_working_day_is_busy_and_a_weekend_quiet(changed, system, low, high):
    days = last_days(56)
    working = [changed[system][_day_number(d)] for d in days if d.weekday() < 5]
    weekend = [changed[system][_day_number(d)] for d in days if d.weekday() > 4]
    assert low < mean(working) < high
    assert mean(weekend) < 0.75 * mean(working)
    assert all(low * 0.8 < n < high * 1.3 for n in working)


def test_about_thirty_new_tickets_come_on_a_working_day(world):
    created = [life.states[0].created for life in world.lives["support"]]
    days = [d for d in last_days(56) if d.weekday() < 5]
    counts = [sum(1 for c in created if c // DAY_MS == _day_number(d)) for d in days]
    assert 25 < mean(counts) < 40


def _day_number(day: date) -> int:
    return day.toordinal() - date(1970, 1, 1).toordinal()


def test_work_happens_in_working_hours(world):
    hours = [t // 3_600_000 % 24 for life in world.lives["crm"] for t in life.times]
    office = sum(1 for h in hours if 7 <= h < 19)
    assert office / len(hours) > 0.85


def test_business_grows(changed):
    days = [d for d in last_days(160) if d.weekday() < 5]
    counts = [changed["crm"][_day_number(d)] for d in days]
    assert mean(counts[-25:]) > 1.05 * mean(counts[:25])


def test_contacts_have_unique_addresses_in_reserved_domains(world):
    emails = [life.states[0].email for life in world.lives["crm"]]
    assert len(set(emails)) == len(emails)
    assert all(email.isascii() and email.endswith(".example") for email in emails)


def test_the_same_people_are_in_all_three_systems(world):
    people = {state.email for life in world.lives["crm"] for state in life.states}
    assert {life.states[0].email for life in world.lives["billing"]} <= people
    assert {life.states[0].requester_email for life in world.lives["support"]} <= people


def test_an_invoice_is_made_for_a_contact_that_exists_by_then(world):
    born = {life.states[0].email: life.states[0].created for life in world.lives["crm"]}
    assert all(life.times[0] > born[life.states[0].email] for life in world.lives["billing"])


def test_countries_and_owners_are_unequal_and_some_fields_are_empty(world):
    rows = [row.state for row in view(world.lives["crm"], NOW_MS).rows]
    top = sum(1 for r in rows if r.shown_country == "United States") / len(rows)
    assert 0.25 < top < 0.5
    assert 0.1 < sum(r.phone is None for r in rows) / len(rows) < 0.4
    assert 0.01 < sum(r.company is None for r in rows) / len(rows) < 0.12


def test_critical_fields_change_seldom_but_they_do(world):
    moves = [
        (a.email != b.email, a.owner != b.owner and a.owner is not None)
        for life in world.lives["crm"]
        for a, b in zip(life.states, life.states[1:], strict=False)
    ]
    for changed in zip(*moves, strict=True):
        assert 0.0005 < sum(changed) / len(moves) < 0.02


def test_invoice_amounts_have_a_heavy_tail(world):
    amounts = sorted(life.states[0].amount for life in world.lives["billing"])
    assert mean(amounts) > 1.8 * median(amounts)
    assert amounts[-1] > 40 * median(amounts)
    assert amounts[0] >= 500


def test_an_invoice_goes_from_draft_to_open_to_an_end(world):
    ways = {tuple(s.status for s in life.states) for life in world.lives["billing"]}
    ends = {"paid", "void", "uncollectible"}
    assert all(way[:2] == ("draft", "open") for way in ways)
    assert {way[-1] for way in ways} == ends
    for life in world.lives["billing"]:
        last = life.states[-1]
        assert (last.paid == last.amount) == (last.status == "paid")


def test_tickets_are_hardly_ever_worded_the_same(world):
    texts = [life.states[0].description for life in world.lives["support"]]
    assert len(set(texts)) > 0.98 * len(texts)
    assert not any("{" in text or "}" in text for text in texts)
    assert not any("{" in life.states[0].subject for life in world.lives["support"])


LIVES = st.lists(
    st.lists(st.integers(0, 40), min_size=1, max_size=5, unique=True).map(sorted), max_size=12
).map(lambda many: [Life(n, tuple(times), tuple(times)) for n, times in enumerate(many)])


@given(LIVES, st.integers(0, 45), st.integers(1, 5), st.integers(0, 40), st.integers(0, 40))
@settings(deadline=None)
def test_pages_partition_every_window_of_every_view(lives, now, limit, start, end):
    expected = sorted(
        (seen[-1], life.id)
        for life in lives
        if (seen := [t for t in life.times if t < now]) and start <= seen[-1] < end
    )
    rows = view(lives, now).between(start, end)
    got, after, more = [], None, True
    while more:
        page, more = cut(rows, after, limit)
        assert page or not more
        got += [row.place for row in page]
        after = page[-1].place if page else after
    assert got == expected


@given(LIVES, st.integers(0, 60), st.integers(0, 20))
def test_a_late_row_is_seen_later_and_never_in_another_version(lives, now, late):
    seen = view(lives, now, lambda row_id, at: late if (row_id + at) % 2 else 0).rows
    by_id = {life.id: life for life in lives}
    for row in seen:
        visible = [t for t in by_id[row.id].times if t + (late if (row.id + t) % 2 else 0) < now]
        assert row.at == max(visible)


def test_a_stream_of_its_own_is_not_moved_by_another():
    from wfops_pipelines.sandbox.rhythm import stream

    one = stream(1, "a").random()
    random.random()
    stream(1, "b").random()
    assert stream(1, "a").random() == one
