"""The project names another API as a sync's destination: records there are other people's."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from tests.destinations.contacts_api import contacts_api
from tests.flow.test_undo_rest import crm
from wfops_pipelines import Policy, rest_destination, undoing
from wfops_pipelines.core.reviews import Actor, Verb
from wfops_pipelines.errors import DestinationRefused
from wfops_pipelines.reconciling.proving import prove

pytestmark = pytest.mark.components

ANA, BOB = Actor("ana", verified=True), Actor("bob", verified=True)


def row(id, email, minutes=0):
    at = datetime(2026, 5, 1, 9, tzinfo=UTC) + timedelta(minutes=minutes)
    return {"id": id, "name": email, "amount": 1, "updated_at": at}


def test_no_record_of_somebody_else_is_written_read_or_taken_back_by_our_names(make_bench):
    with contacts_api() as api, contacts_api() as other:
        there = {f"WFOPS_ERP_{n}": other.environ[f"WFOPS_CRM_{n}"] for n in ("URL", "TOKEN")}
        bench = make_bench(Policy(reviewers="team"), crm(), {**api.environ, **there})
        bench.run([row("1", "a@x")])
        other.records["c1"] = {"id": "c1", "email": "boss@x", "ref": "boss"}
        mine = bench.sync
        erp = rest_destination(
            "erp", "POST /contacts", update="PATCH /contacts/{remote_id}",
            delete="DELETE /contacts/{remote_id}", read="GET /contacts/{remote_id}",
            record="contact", body={"email": "{name}", "ref": "{id}"},
        )  # fmt: skip
        bench.project.syncs["things"] = replace(mine, destination=erp)
        with pytest.raises(DestinationRefused, match=r"was sent to crm, and .* is erp now"):
            bench.run([row("1", "new@x", 30), row("2", "b@x", 30)])
        asked = undoing.ask("things", 1, "wrong", ANA, bench.project, bench.services)
        taken = bench.decide(asked, Verb.APPROVE, actor=BOB)
        with pytest.raises(DestinationRefused, match="is erp now"):
            bench.release(taken)
        assert other.asked == []
        bench.project.syncs["things"] = mine
        bench.release(taken)
        bench.run()
        assert sorted(r["email"] for r in api.records.values()) == ["b@x", "new@x"]
        assert prove(bench.sync, bench.services).misfits == ()
