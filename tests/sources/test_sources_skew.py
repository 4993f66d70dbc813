"""A vendor whose clock is wrong: rows come later, and none is lost or staged twice."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.conftest import MACHINE
from tests.sources.scripted import QUICK, as_json
from wfops_pipelines import Policy, instant, sync, table
from wfops_pipelines.sources import SinglePage, rest_api
from wfops_pipelines.staging.extraction import stage

SOURCE = rest_api(
    "shop", "/things", records="", paging=SinglePage(), updated_after="from",
    updated_before="to", retries=QUICK,
)  # fmt: skip


@pytest.mark.parametrize("minutes", [-90, -7, 0, 7, 90])
def test_no_row_is_lost_whichever_way_the_clocks_differ(make_bench, server, minutes):
    bench = make_bench()
    rows: list[dict] = []

    def answer(path):
        asked = {k: instant(v[0]) for k, v in parse_qs(urlsplit(path).query).items()}
        found = [r for r in rows if instant(r["at"]) < asked["to"]]
        return as_json(
            [r for r in found if "from" not in asked or instant(r["at"]) >= asked["from"]]
        )

    @sync(source=SOURCE, key="id", cursor="at", destination=table("shop.things"), policy=Policy())
    def things(page):
        return page

    with server(answer) as script:
        environ = {"WFOPS_SHOP_URL": script.url, "WFOPS_SHOP_TOKEN": "t0ken"}
        services = replace(bench.services, environ=environ)
        staged: list[str] = []
        for turn in range(24):
            theirs: datetime = bench.clock() + timedelta(minutes=minutes)
            if turn < 12:
                rows += [{"id": f"{turn}-{i}", "at": theirs.isoformat()} for i in range(2)]
            snapshot = stage(things, services, MACHINE.actor, None)
            if snapshot:
                found = services.rows(snapshot).whole()
                staged += found["id"].to_pylist()
            bench.clock.advance(minutes=15)
    assert sorted(staged) == sorted(r["id"] for r in rows)
