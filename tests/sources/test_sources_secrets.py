"""The token goes to its own origin and nowhere else: no other host, no message, no log."""

from __future__ import annotations

import logging
import os
import pickle
import subprocess
import sys
import traceback
from datetime import timedelta
from pathlib import Path

import pytest

from tests.sources.scripted import QUICK, as_json
from wfops_pipelines.errors import SourceMalformed, SyncFailure
from wfops_pipelines.sandbox import NOW
from wfops_pipelines.sources import (
    Connection,
    HeaderLinkPaging,
    Window,
    api_key,
    rest_api,
    zendesk,
)

pytestmark = pytest.mark.components

TOKEN = "sk_live_51HxSECRETvalue"
WINDOW = Window(NOW - timedelta(days=1), NOW)
TICKETS = zendesk("support", "/tickets.json", retries=QUICK)


def tickets(next_link: object, more: bool = True) -> dict[str, object]:
    return {"tickets": [{"id": 1}], "links": {"next": next_link}, "meta": {"has_more": more}}


LINKS = [
    "{evil}/tickets.json",
    "http://127.0.0.1:{evil_port}/tickets.json",
    "http://localhost:{good_port}/tickets.json",
    "https://127.0.0.1:{good_port}/tickets.json",
    "//127.0.0.1:{evil_port}/tickets.json",
    "http://127.0.0.1:{evil_port}\\@127.0.0.1:{good_port}/tickets.json",
    "http://127.0.0.1:{good_port}@127.0.0.1:{evil_port}/tickets.json",
    "http://user:word@127.0.0.1:{good_port}/tickets.json",
    " http://127.0.0.1:{evil_port}/tickets.json",
    "http://127.0.0.1:{evil_port}#@127.0.0.1:{good_port}/",
    "http://127.0.0.1:{evil_port}/\n",
    "\\\\127.0.0.1:{evil_port}/tickets.json",
    "HTTP://127.0.0.1:{evil_port}/tickets.json",
    "http://127.0.0.1:99999/tickets.json",
    "http://[::1/tickets.json",
    "ftp://127.0.0.1:{good_port}/tickets.json",
    "file:///etc/passwd",
    "http:///tickets.json",
]


@pytest.mark.parametrize("link", LINKS)
def test_a_next_link_to_another_origin_is_refused_before_anything_is_sent(server, link):
    with (
        server(lambda _: as_json(tickets(None, False))) as evil,
        server(lambda _: as_json(tickets(sent))) as good,
    ):
        ports = {name: s.url.rsplit(":", 1)[1] for name, s in (("evil", evil), ("good", good))}
        sent = link.format(evil=evil.url, evil_port=ports["evil"], good_port=ports["good"])
        with pytest.raises(SyncFailure) as caught:
            list(TICKETS.pages(WINDOW, Connection(good.url, TOKEN)))
        assert evil.seen == []
        assert len(good.seen) == 1
        assert isinstance(caught.value, SourceMalformed)


def test_a_link_header_is_followed_at_home_and_refused_elsewhere(server):
    source = rest_api("code", "/issues", records="", paging=HeaderLinkPaging(), retries=QUICK)
    target = ["/issues?page=2", None]

    def answer(path: str):
        link = {"Link": f'<{target[0]}>; rel="next"'} if path == "/issues" else {}
        return as_json([{"id": path}], link)

    with server(answer) as good, server(answer) as evil:
        home = Connection(good.url, TOKEN)
        assert len(list(source.pages(WINDOW, home))) == 2
        target[0] = f"{evil.url}/issues?page=2"
        with pytest.raises(SourceMalformed, match="another origin"):
            list(source.pages(WINDOW, home))
        assert evil.seen == []


def test_the_sandboxs_evil_next_link_is_refused(read):
    read.sandbox.client.set_fault("support", "evil_next_link")
    with pytest.raises(SourceMalformed, match="another origin"):
        read.rows("support")


def test_paging_by_cursor_ignores_links_altogether(read):
    expected = read.rows("crm")
    read.sandbox.client.set_fault("crm", "evil_next_link")
    assert read.rows("crm") == expected


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirect_is_not_followed(server, status):
    with (
        server(lambda _: as_json(tickets(None, False))) as evil,
        server(lambda _: (status, {"Location": f"{evil.url}/tickets.json"}, b"")) as good,
    ):
        with pytest.raises(SourceMalformed, match=str(status)):
            list(TICKETS.pages(WINDOW, Connection(good.url, TOKEN)))
        assert evil.seen == []
        assert len(good.seen) == 1


ECHOES = [
    (401, f"Invalid API key provided: {TOKEN}"),
    (403, f"Bearer {TOKEN} lacks a scope"),
    (400, f"header Authorization=Bearer {TOKEN}"),
    (404, TOKEN * 40),
    (429, f"slow down {TOKEN}"),
    (500, f"Traceback: {TOKEN}"),
    (200, TOKEN),
    (200, f'{{"error": "{TOKEN}"}}'),
    (200, f'{{"tickets": "{TOKEN}", "meta": {{"has_more": "{TOKEN}"}}}}'),
]


@pytest.mark.parametrize(("status", "body"), ECHOES)
def test_no_failure_and_no_log_shows_the_token_even_if_the_vendor_echoes_it(
    server, caplog, status, body
):
    caplog.set_level(logging.DEBUG)
    with server(lambda _: (status, {"Retry-After": TOKEN}, body.encode())) as vendor:
        connection = Connection(vendor.url, TOKEN)
        with pytest.raises(SyncFailure) as caught:
            list(TICKETS.pages(WINDOW, connection))
        assert vendor.seen[0][1]["Authorization"] == f"Bearer {TOKEN}"
    told = "".join(traceback.format_exception(caught.value))
    assert TOKEN not in told
    assert TOKEN[:12] not in str(caught.value)
    assert TOKEN not in caplog.text
    assert TOKEN not in repr(connection)
    assert "support: GET /tickets.json" in str(caught.value)


def test_an_api_key_goes_into_the_header_that_the_vendor_wants(server):
    source = rest_api(
        "erp", "/items", records="", paging=HeaderLinkPaging(), auth=api_key("X-Api-Key")
    )
    with server(lambda _: as_json([])) as vendor:
        assert list(source.pages(WINDOW, Connection(vendor.url, TOKEN))) == [[]]
    headers = vendor.seen[0][1]
    assert headers["X-Api-Key"] == TOKEN
    assert "Authorization" not in headers


def test_a_password_file_in_the_home_folder_does_not_replace_the_token(
    server, tmp_path: Path, monkeypatch
):
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login somebody password else\n")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("NETRC", str(tmp_path / ".netrc"))
    source = rest_api(
        "erp", "/items", records="", paging=HeaderLinkPaging(), auth=api_key("X-Api-Key")
    )
    with server(lambda _: as_json([])) as vendor:
        list(source.pages(WINDOW, Connection(vendor.url, TOKEN)))
    assert "Authorization" not in vendor.seen[0][1]


def test_a_source_can_be_sent_to_another_process_and_carries_no_secret():
    assert TOKEN.encode() not in pickle.dumps(TICKETS)
    assert pickle.loads(pickle.dumps(TICKETS)) == TICKETS


SPY = """
import socket, sys
connect = socket.socket.connect
def spy(self, address):
    print("connect", address[0] if isinstance(address, tuple) else address)
    return connect(self, address)
socket.socket.connect = spy
from wfops_pipelines.sandbox import NOW
from wfops_pipelines.sources import Connection, Window, hubspot
source = hubspot("crm", "/crm/v3/objects/contacts")
pages = list(source.pages(Window(None, NOW), Connection(sys.argv[1], "sandbox-crm-token")))
print("pages", len(pages))
"""


def test_extracting_writes_no_file_and_talks_to_nobody_but_the_source(sandbox, tmp_path: Path):
    home = tmp_path / "home"
    home.mkdir()
    environ = {k: v for k, v in os.environ.items() if not k.startswith(("RUNTIME__", "DLT"))}
    environ |= {"HOME": str(home), "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(
        [sys.executable, "-c", SPY, sandbox.url],
        cwd=home,
        env=environ,
        capture_output=True,
        text=True,
        check=True,
    )
    lines = done.stdout.splitlines()
    assert {line for line in lines if line.startswith("connect")} == {"connect 127.0.0.1"}
    assert lines[-1].startswith("pages ")
    assert list(home.iterdir()) == []
    assert done.stderr == ""


def test_importing_sources_loads_no_framework():
    code = (
        "import sys, wfops_pipelines.sources as s;"
        "s.hubspot('crm', '/x');"
        "print([m for m in ('dlt', 'requests', 'orjson', 'urllib3', 'pandas') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
