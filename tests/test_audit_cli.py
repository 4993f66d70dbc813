"""`wfops audit` as somebody uses it, in a process of its own on the real database."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import sqlalchemy as sa

ROOT = Path(__file__).resolve().parent.parent

pytestmark = pytest.mark.components


@pytest.fixture
def wfops(database_url, tmp_path):
    env = {
        **os.environ,
        "WFOPS_POSTGRES_URL": database_url,
        "WFOPS_STATE": str(tmp_path / "state"),
    }

    def run(*words):
        done = subprocess.run(
            [sys.executable, "-m", "wfops_pipelines", *words],
            capture_output=True, text=True, cwd=ROOT, env=env,
        )  # fmt: skip
        return done.returncode, done.stdout + done.stderr

    return run


def test_an_act_in_the_shell_is_signed_printed_verified_exported_and_its_change_found(
    wfops, database_url, tmp_path
):
    assert wfops("audit", "verify")[1].startswith("0 events, unbroken")
    code, said = wfops("pause", "crm_contacts", "--reason", "\x1b[2Ja look first")
    assert code == 0, said
    assert wfops("resume", "all", "--reason", "nothing to resume")[0] == 0

    code, said = wfops("audit", "verify")
    assert (code, said.splitlines()[0]) == (0, "1 events, unbroken; 1 signed heads")
    key = said.split("signed by ")[1].strip()

    code, said = wfops("audit", "log", "crm_contacts")
    assert "sync.paused" in said
    assert "developer (unverified)" in said
    assert "\x1b" not in said
    assert json.loads(wfops("audit", "log", "--json")[1])["action"] == "sync.paused"
    assert "no event is about 'nobody'" in wfops("audit", "log", "nobody")[1]

    bundle = tmp_path / "audit.zip"
    code, said = wfops("audit", "export", str(bundle))
    assert f"python3 {bundle} --key {key}" in said
    done = subprocess.run([sys.executable, bundle, "--key", key], capture_output=True, text=True)
    assert (done.returncode, done.stdout.splitlines()[0]) == (
        0,
        "1 events, unbroken; 1 signed heads",
    )
    assert "Name another" in wfops("audit", "export", str(bundle))[1]

    with sa.create_engine(database_url, poolclass=sa.NullPool).begin() as conn:
        conn.exec_driver_sql("alter table wfops.audit disable trigger audit_insert_only")
        conn.exec_driver_sql("update wfops.audit set body = replace(body, 'look', 'joke')")
    code, said = wfops("audit", "verify")
    assert code == 1
    assert "✗ event 1 (crm_contacts): edited" in said
    assert "what to do:" in said
    assert "the trigger that protects the trail is off" in said
    assert wfops("audit", "sign") == (0, "nothing new to sign\n")
