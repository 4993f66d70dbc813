"""docs/add-a-sync.md makes a project that works, block by block."""

from __future__ import annotations

import json
import os
import re
import sqlite3
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
import sqlalchemy as sa
import yaml

import wfops_pipelines
from tests.conftest import MACHINE
from tests.sources.scripted import as_json, scripted_server
from wfops_pipelines import flow, sources
from wfops_pipelines.errors import FailureKind
from wfops_pipelines.orchestration.since import run_config
from wfops_pipelines.project import load_project
from wfops_pipelines.services import open_services
from wfops_pipelines.settings import Settings
from wfops_pipelines.testing import FrozenClock

ROOT = Path(__file__).resolve().parent.parent
PAGE = (ROOT / "docs/add-a-sync.md").read_text("utf-8")
NAME = re.compile(r"`((?:assets|expectations)/[\w.]+|reviewers\.yaml)`")


def blocks(language):
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.M | re.S)


def named():
    """(file, text) of each block whose paragraph before it names a file."""
    for block in re.finditer(r"^```\w+\n(.*?)^```$", PAGE, re.M | re.S):
        name = NAME.search(PAGE[: block.start()].rstrip().rpartition("\n\n")[2])
        if name:
            yield name[1], block[1]


def cells(heading):
    """The first column of the table below a heading."""
    part = PAGE.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    return re.findall(r"^\| `(.+?[^=])` \|", part, re.M)


@pytest.fixture
def root(tmp_path):
    """The project that a reader of the page has in the end."""
    files = dict(named())
    assert set(files) == {
        "assets/deals.py", "assets/orders.py", "assets/payouts.py", "expectations/deals.json",
        "reviewers.yaml",
    }  # fmt: skip
    for name in ("orders", "payouts"):
        files[f"expectations/{name}.json"] = json.dumps({"name": name, "expectations": []})
    for name, text in files.items():
        path = tmp_path / "project" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
    return tmp_path / "project"


class Vendor:
    """The API of the page: twelve deals, five a page, rotating refresh tokens."""

    def __init__(self):
        self.valid, self.n, self.script = "refresh-token", 0, None
        self.deals = [
            {"id": f"d{i}", "owner": {"name": "Ana", "email": f"a{i}@shop.example"}, "tags": ["x"],
             "amount": 5000 * i, "archived": False, "updated": f"2026-05-31T10:{i:02}:00Z"}
            for i in range(12)
        ]  # fmt: skip

    def answer(self, path):
        query = {k: v[0] for k, v in parse_qs(urlsplit(path).query).items()}
        if path == "/oauth/token":
            assert parse_qs(self.script.posted[-1])["refresh_token"] == [self.valid]
            self.n += 1
            self.valid = f"refresh-token-{self.n}"
            return as_json({"access_token": f"t{self.n}", "refresh_token": self.valid})
        if self.script.seen[-1][1]["Authorization"] != f"Bearer t{self.n}":
            return as_json({"error": "no"}, status=401)
        since = query.get("updated_since", "")
        rows = [d for d in self.deals if since <= d["updated"] < query["updated_before"]]
        at = int(query.get("after", 0))
        following = str(at + 5) if at + 5 < len(rows) else None
        return as_json({"data": rows[at : at + 5], "paging": {"next": following}})


@pytest.fixture
def vendor():
    found = Vendor()
    with scripted_server(found.answer) as script:
        found.script = script
        yield found


def environ(vendor, tmp_path):
    return {
        "WFOPS_DEALS_API_URL": vendor.script.url,
        "WFOPS_DEALS_API_TOKEN": "client-id:client-secret:refresh-token",
        "WFOPS_ERP_URL": f"sqlite:///{tmp_path}/erp.db",
        "WFOPS_BANK_URL": str(tmp_path / "bank"),
    }


@pytest.fixture
def world(root, tmp_path, database_url, vendor):
    """`run(sync)` runs one and returns (rows staged, rows published, the hold's summary)."""
    project = load_project(root)
    settings = Settings(root, tmp_path / "state", database_url, environ(vendor, tmp_path))
    clock = FrozenClock()
    services = replace(open_services(settings, project.people), clock=clock)

    def run(name):
        clock.advance(minutes=15)
        passed = flow.run_sync(project, project.syncs[name], services, MACHINE)
        judged = passed.judged[-1] if passed.judged else None
        held = judged.review.summary if judged and judged.review else None
        rows = judged.snapshot.rows if judged else 0
        return rows, sum(p.rows for p in passed.publications), held

    run.clock, run.engine = clock, services.engine
    return run


@pytest.mark.components
def test_the_api_of_the_page_is_read_held_and_published(world, vendor):
    rows, published, held = world("deals")
    assert rows == 12
    assert "a deal above 50,000" in held
    assert published == 11
    with world.engine.connect() as conn:
        found = conn.execute(sa.text("select id, tags from sales.deals order by id")).all()
    assert [tuple(r) for r in found][:2] == [("d0", '["x"]'), ("d1", '["x"]')]
    assert world("deals")[0] == 0
    vendor.deals[0] |= {"archived": True, "updated": "2026-06-01T12:20:00Z"}
    assert world("deals")[0] == 1
    assert vendor.n == 3
    for id, amount, minute in (("d12", 10.5, 40), ("d13", 1_234_567.5, 55)):
        changes = {"id": id, "amount": amount, "updated": f"2026-06-01T12:{minute}:00Z"}
        vendor.deals.append({**vendor.deals[1], **changes})
        rows, published, held = world("deals")
        assert (rows, published) == (1, amount < 50_000), held
    assert "type" not in held
    with world.engine.connect() as conn:
        query = sa.text("select amount from sales.deals where id = 'd12'")
        assert conn.execute(query).scalar_one() == Decimal("10.50")


@pytest.mark.components
def test_the_table_of_the_page_is_read(world, tmp_path):
    with sqlite3.connect(tmp_path / "erp.db") as conn:
        conn.execute("create table orders (id text, total integer, changed timestamp)")
        conn.execute("insert into orders values ('o1', 5, '2026-05-31 10:00:00')")
    conn.close()
    assert world("orders") == (1, 1, None)
    assert world("orders")[0] == 0


@pytest.mark.components
def test_the_files_of_the_page_are_read(world, tmp_path):
    folder = tmp_path / "bank/payouts"
    folder.mkdir(parents=True)
    (folder / "may.csv").write_text("reference,amount,day\n007,10.50,2026-05-31\n")
    world.clock.now = datetime.now(UTC)
    assert world("payouts") == (1, 1, None)
    assert world("payouts")[0] == 0
    with world.engine.connect() as conn:
        query = sa.text("select reference, amount, day from sales.payouts")
        assert tuple(conn.execute(query).one()) == ("007", Decimal("10.50"), date(2026, 5, 31))


@pytest.mark.components
def test_the_commands_of_the_page_say_what_it_shows(root, tmp_path, database_url, vendor):
    console, again = blocks("console")
    for name in ("orders", "payouts"):
        (root / f"assets/{name}.py").unlink()
        (root / f"expectations/{name}.json").unlink()
    env = {**os.environ, **environ(vendor, tmp_path), "WFOPS_PROJECT": str(root)}
    env |= {"WFOPS_POSTGRES_URL": database_url, "WFOPS_STATE": str(tmp_path / "state")}

    def wfops(*command):
        done = subprocess.run(
            [sys.executable, "-m", "wfops_pipelines", *command],
            capture_output=True, text=True, env=env, check=True,
        )  # fmt: skip
        return done.stdout

    shown = re.search(r"✓ \S+: (.*)", console)
    assert wfops("check").strip().endswith(shown[1])
    (line,) = re.findall(r"^(deals #1.*)…$", console, re.M)
    said = wfops("run", "deals")
    assert said.startswith(line)
    assert "decide it: wfops decide rv-" in said
    for name in re.findall(r"export (\w+)=", console):
        assert name in env
    vendor.deals.append({**vendor.deals[2], "id": "d12", "updated": "2026-05-20T10:00:00Z"})
    command, shown = re.fullmatch(r"\$ wfops (.*)\n(.*)\n", again).groups()
    assert wfops(*command.split()) == f"{shown}\n"


def test_the_config_of_the_page_is_the_one_that_a_run_reads():
    config = next(yaml.safe_load(b) for b in blocks("yaml") if "ops" in b)
    assert config == run_config("deals", "2026-05-01")


@pytest.mark.parametrize("written", [*cells("Signing in"), *cells("Paging")])
def test_each_way_of_signing_in_and_paging_is_there(written):
    found = eval(written, {}, vars(sources))
    assert type(found).__module__.startswith(("wfops_pipelines.sources", "wfops_pipelines.apis"))


@pytest.mark.parametrize("code", [b for b in blocks("python") if "@sync" not in b])
def test_the_other_blocks_run(code):
    exec(compile(code, "add-a-sync.md", "exec"), {})


def test_every_class_of_paging_is_on_the_page():
    ways = {n for n in sources.__all__ if n.endswith("Paging") and n != "Paging"} | {"SinglePage"}
    assert {w.partition("(")[0] for w in cells("Paging")} == ways


def test_every_kind_of_failure_is_on_the_page():
    kinds = {k.value for k in FailureKind} - {FailureKind.OUR_BUG.value}
    assert set(cells("When it fails")) == kinds


def test_the_names_that_the_page_uses_are_public():
    for name in re.findall(r"^from wfops_pipelines import (.+)$", PAGE, re.M):
        assert set(name.split(", ")) <= set(wfops_pipelines.__all__)
    assert "add-a-sync.md" in (ROOT / "README.md").read_text("utf-8")
