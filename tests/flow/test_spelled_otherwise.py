"""An API that answers with texts what it was sent as numbers has what it was sent, everywhere."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from tests.destinations.contacts_api import contacts_api
from wfops_pipelines import Policy, rest_destination, undoing
from wfops_pipelines.core.reviews import Actor, Verb
from wfops_pipelines.core.snapshot import Diff
from wfops_pipelines.destinations import Parcel
from wfops_pipelines.reconciling.proving import prove
from wfops_pipelines.reconciling.stories import versions_of
from wfops_pipelines.store import audit
from wfops_pipelines.store.rows import to_table

pytestmark = pytest.mark.components

START = datetime(2026, 5, 1, 9, tzinfo=UTC)
ANA, BOB = Actor("ana", verified=True), Actor("bob", verified=True)


def text(value):
    """As HubSpot answers: every value a text, a moment with milliseconds and a Z."""
    if value is None or (isinstance(value, str) and not value.startswith("2026-")):
        return value
    if isinstance(value, str):
        return f"{datetime.fromisoformat(value):%Y-%m-%dT%H:%M:%S.000Z}"
    return str(value).lower() if isinstance(value, bool) else str(value)


def row(id, amount=10, minutes=0, **more):
    moment = START + timedelta(minutes=minutes)
    values = {"paid": True, "price": Decimal("10.50"), "closed": moment, "note": None}
    return {"id": id, "name": f"{id}@x", "amount": amount, "updated_at": moment, **values, **more}


@pytest.fixture
def api():
    with contacts_api() as found:
        found.spell = text
        yield found


@pytest.fixture
def bench(make_bench, api):
    columns = ("amount", "paid", "price", "closed", "note")
    crm = rest_destination(
        "crm", "POST /contacts", update="PATCH /contacts/{remote_id}",
        delete="DELETE /contacts/{remote_id}", read="GET /contacts/{remote_id}", record="contact",
        body={"email": "{name}", "ref": "{id}", "properties": {c: f"{{{c}}}" for c in columns}},
    )  # fmt: skip
    return make_bench(Policy(reviewers="team", hold_rows_up_to=0.5), crm, api.environ)


def undo(bench, seq):
    review = undoing.ask("things", seq, "wrong", ANA, bench.project, bench.services)
    bench.release(bench.decide(review, Verb.APPROVE, actor=BOB))


def amounts(api):
    return {r["ref"]: r["properties"]["amount"] for r in api.records.values()}


def last(bench, subject):
    with bench.services.engine.connect() as conn:
        return audit.trail(conn, subject)[-1]["details"]


def test_what_was_published_is_taken_back_and_what_somebody_changed_is_not(bench, api):
    bench.run([row("1"), row("2"), row("3")])
    bench.run([row("1", 1201, 30), row("2", 1202, 31)])
    changed = next(r for r in api.records.values() if r["ref"] == "2")
    changed["properties"] = changed["properties"] | {"amount": "01202"}
    undo(bench, 2)
    assert amounts(api) == {"1": "10", "2": "01202", "3": 10}
    found = last(bench, "things #2")
    assert (found["restored"], found["deleted"], found["newer"]) == (1, 0, 1)
    taken, stays = (versions_of(bench.sync, key, bench.services)[-1].words for key in "12")
    said = f"reverted by decision {found['decision']}"
    assert taken == f"{said}; only a change at the source brings it back"
    assert stays == f"to be {said}, but it stays: somebody changed it at the destination since"
    with bench.services.engine.connect() as conn:
        said = undoing.done_by(conn, "things #2", found["decision"])
    assert said == "1 of 2 restored; 1 stays, for somebody changed it since"


def test_reconcile_accuses_no_row_that_the_api_only_spells_otherwise(bench, api):
    bench.run([row("1"), row("2", 1007.5), row("3", 33)])
    assert prove(bench.sync, bench.services).misfits == ()
    api.records["c2"]["properties"]["amount"] = "1007.51"
    (misfit,) = prove(bench.sync, bench.services).misfits
    assert (misfit.key, misfit.words) == ("2", "the destination holds other values of amount")


def test_a_diff_counts_no_row_as_changed_that_is_only_spelled_otherwise(bench, api):
    bench.run([row("1"), row("2")])
    rows = to_table([row("1"), row("2", 11)])
    parcel = Parcel("things", 9, "id", rows, bench.services.environ)
    with bench.services.engine.connect() as conn:
        found = bench.sync.destination.diff(conn, parcel, ("amount", "price", "closed"))
    assert found == Diff(0, 1, 1, 0, (("2", "amount", "10", "11"),))
