"""A real sign-in proxy in front of the real product: each person may what the project says."""

from __future__ import annotations

import base64
import os
import re
import shutil
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tests.acceptance.conftest import ROOT, served
from wfops_pipelines.dagster_client import DagsterClient, LaunchRefused
from wfops_pipelines.dev.ports import free_port

pytestmark = pytest.mark.acceptance

SECRET = "a secret between the proxy and the server"
PASSWORD = "open sesame"
PEOPLE = """
groups: {revops: [rita], finance: [fred], support: [rita], data: [rita]}
roles: {engineer: [eve], override: [], admin: [ada]}
"""
CADDYFILE = """
{{
    admin off
    auto_https off
    persist_config off
}}
http://127.0.0.1:{port} {{
    basic_auth {{
{people}
    }}
    reverse_proxy 127.0.0.1:{server} {{
        header_up X-Forwarded-User {{http.auth.user.id}}
        header_up X-Wfops-Proxy-Secret "{secret}"
    }}
}}
"""
NAMES = ("rita", "eve", "ada", "stranger")
BOGUS = {"review": "rv-none", "evidence": "x", "decision": "approve", "reason": "x"}


@dataclass
class Door:
    """The proxy's address, and the address behind it."""

    url: str
    direct: str

    def client(self, name: str) -> DagsterClient:
        return DagsterClient(self.url, "wfops", signed_in(name))


def signed_in(name: str) -> dict[str, str]:
    token = base64.b64encode(f"{name}:{PASSWORD}".encode()).decode()
    return {"Authorization": f"Basic {token}"}


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("project")
    for room in ("assets", "expectations", "sensors"):
        shutil.copytree(ROOT / room, root / room)
    shutil.copy(ROOT / "dagster.yaml", root)
    (root / "reviewers.yaml").write_text(PEOPLE)
    return root


@pytest.fixture(scope="module")
def server(project: Path) -> Iterator[str]:
    """`wfops dev` that believes a proxy only; its address."""
    with served(project, WFOPS_PROXY_SECRET=SECRET) as running:
        yield running.ui


@pytest.fixture(scope="module")
def door(server: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    """Caddy in front of it, which asks for a name and a password."""
    folder, port = tmp_path_factory.mktemp("caddy"), free_port()
    caddy = Path(sys.executable).with_name("caddyserver")
    env = {**os.environ, "XDG_DATA_HOME": str(folder), "XDG_CONFIG_HOME": str(folder)}
    hashed = subprocess.run(
        [caddy, "hash-password", "--plaintext", PASSWORD],
        capture_output=True, text=True, check=True, env=env,
    ).stdout.strip()  # fmt: skip
    people = "\n".join(f"        {name} {hashed}" for name in NAMES)
    behind = server.rpartition(":")[2]
    file = folder / "Caddyfile"
    file.write_text(CADDYFILE.format(port=port, server=behind, people=people, secret=SECRET))
    process = subprocess.Popen(
        [caddy, "run", "--config", file, "--adapter", "caddyfile"],
        env=env, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    said = []
    for line in process.stderr:
        said.append(line)
        if "serving initial configuration" in line:
            break
    else:
        pytest.fail("".join(said))
    drain = threading.Thread(target=lambda: [None for _ in process.stderr], daemon=True)
    drain.start()
    yield Door(f"http://127.0.0.1:{port}", server)
    process.terminate()
    process.wait(30)
    drain.join(30)
    process.stderr.close()


def status(url: str, headers: dict[str, str]) -> int:
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with direct.open(urllib.request.Request(url, headers=headers), timeout=60) as answer:
            return answer.status
    except urllib.error.HTTPError as refused:
        with refused:
            return refused.code


def test_only_who_signs_in_gets_in_and_nobody_gets_around_the_proxy(door):
    assert status(f"{door.url}/wfops", {}) == 401
    assert status(f"{door.url}/wfops", signed_in("rita")) == 200
    assert status(f"{door.direct}/wfops", {}) == 403
    assert status(f"{door.direct}/wfops", {"X-Forwarded-User": "ada"}) == 403
    guess = {"X-Forwarded-User": "ada", "X-Wfops-Proxy-Secret": "guess"}
    assert status(f"{door.direct}/graphql", guess) == 403


def test_a_name_that_the_browser_sends_is_overwritten_by_the_proxys(door):
    claims = {**signed_in("stranger"), "X-Forwarded-User": "ada", "X-Wfops-Proxy-Secret": "x"}
    liar = DagsterClient(door.url, "wfops", claims)
    with pytest.raises(LaunchRefused, match="Unauthorized"):
        liar.launch("decide", BOGUS)


def test_a_reviewer_decides_under_their_own_verified_name_and_launches_nothing_else(door):
    rita = door.client("rita")
    run = rita.launch("decide", BOGUS, {"wfops/identity": "ada|1|forged", "user": "ada"})
    assert rita.wait(run) == "FAILURE"  # there is no such review request
    tags = rita.tags(run)
    assert tags["user"] == "rita"
    assert tags["wfops/identity"].startswith("rita|1|")
    for job in ("crm_contacts", "pause", "release"):
        with pytest.raises(LaunchRefused, match="Unauthorized"):
            rita.launch(job, {})


def test_an_engineer_launches_syncs_and_is_refused_by_the_gate(door):
    eve = door.client("eve")
    run = eve.launch("comment", {"review": "rv-none", "text": "x"})
    assert eve.wait(run) == "FAILURE"
    assert eve.wait(eve.launch("crm_contacts")) == "FAILURE"  # no CRM is configured here
    assert eve.tags(run)["user"] == "eve"


def test_only_an_admin_pauses_everything(door):
    config = {"sync": "all", "reason": "maintenance of the warehouse"}
    eve, ada = door.client("eve"), door.client("ada")
    assert eve.wait(eve.launch("pause", config)) == "FAILURE"
    assert ada.wait(ada.launch("pause", config)) == "SUCCESS"


def test_the_buttons_of_what_one_may_not_do_are_grey(door, browser: Browser):
    for name, shown in (("rita", 1), ("stranger", 0)):
        context = browser.new_context(
            base_url=door.url, http_credentials={"username": name, "password": PASSWORD}
        )
        page = context.new_page()
        page.set_default_timeout(60_000)
        page.goto("/locations/wfops/jobs/decide/playground/setup")
        launch = page.get_by_role("button", name="Launch run")
        expect(launch.or_(page.get_by_role("heading", name="decide")).first).to_be_visible()
        expect(launch).to_have_count(shown)  # Dagster shows no Launchpad to who may not launch
        page.goto("/assets/crm_contacts/staged")
        button = page.get_by_role("button", name=re.compile("Materialize$"))
        expect(button).to_be_disabled(timeout=60_000)
        context.close()
