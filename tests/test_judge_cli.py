"""`wfops judge` as somebody uses it, in a process of its own on the real database."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import sqlalchemy as sa

from wfops_pipelines.store.database import connect

ROOT = Path(__file__).resolve().parent.parent

pytestmark = pytest.mark.components

ROWS = """
create schema copies;
create table copies.contacts as
select 'c' || i as id, case when i = 7 then null else 'p' || i || '@example.com' end as email,
       'lead' as lifecycle_stage, 'o1' as owner_id, 'DE' as country,
       now() as updated_at, now() - interval '1 day' as created_at
from generate_series(1, 50) i
"""


def test_a_table_is_judged_and_a_failure_is_the_exit_code(database_url, tmp_path):
    with connect(database_url).begin() as conn:
        conn.execute(sa.text(ROWS))
    env = {**os.environ, "WFOPS_POSTGRES_URL": database_url, "WFOPS_STATE": str(tmp_path)}

    def judge(*words):
        return subprocess.run(
            [sys.executable, "-m", "wfops_pipelines", "judge", *words],
            capture_output=True, text=True, cwd=ROOT, env=env,
        )  # fmt: skip

    done = judge("crm_contacts", "copies.contacts")
    assert done.returncode == 1, done.stderr
    lines = done.stdout.splitlines()
    assert "failed  critical  email is never empty  1 rows" in lines
    assert lines[-1] == "copies.contacts: 9 of 10 expectations pass"
    with connect(database_url).begin() as conn:
        conn.execute(sa.text("delete from copies.contacts where email is null"))
    assert judge("crm_contacts", "copies.contacts").returncode == 0
    assert "name one: schema.table" in judge("support_replies").stderr.lower()


def test_a_broken_suite_is_told_in_one_line_and_stops_its_own_sync_alone(database_url, tmp_path):
    for room in ("assets", "expectations"):
        shutil.copytree(ROOT / room, tmp_path / room)
    for file in ("reviewers.yaml", "pyproject.toml"):
        shutil.copy(ROOT / file, tmp_path)
    broken = tmp_path / "expectations" / "crm_contacts.json"
    broken.write_text("{,", "utf-8")
    state = str(tmp_path / "state")
    env = {**os.environ, "WFOPS_POSTGRES_URL": database_url, "WFOPS_STATE": state}

    def wfops(*words):
        return subprocess.run(
            [sys.executable, "-m", "wfops_pipelines", *words],
            capture_output=True, text=True, cwd=tmp_path, env=env,
        )  # fmt: skip

    listed = wfops("reviews")
    assert listed.returncode == 0, listed.stderr
    (line,) = listed.stderr.splitlines()
    assert "crm_contacts.json" in line
    run = wfops("run", "crm_contacts")
    assert run.returncode == 1
    assert "crm_contacts.json" in run.stderr
    assert "Traceback" not in run.stderr
