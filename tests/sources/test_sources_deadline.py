"""A server that sends a byte now and then holds nobody: each answer has a total time."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from tests.certificates import certificate
from tests.sources.scripted import QUICK
from wfops_pipelines.errors import FailureKind, SourceUnreachable
from wfops_pipelines.sandbox import NOW
from wfops_pipelines.sources import Connection, SinglePage, Window, oauth2, rest_api

WINDOW = Window(NOW - timedelta(days=1), NOW)
ITEMS = replace(
    rest_api("erp", "/items", records="", paging=SinglePage(), timeout=20, deadline=0.3),
    retries=QUICK,
)
BODY = b'[{"id": 1}' + b" " * 4000 + b"]"
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 4011\r\n\r\n"
WHOLE = HEAD + BODY


@contextmanager
def trickling(start, times=10**9, tls=None):
    """A server that answers byte by byte from `start` of its answer on, the first `times`."""
    stop, asked = threading.Event(), []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.path)
            self.close_connection = True
            if len(asked) > times:
                self.wfile.write(WHOLE)
                return
            self.wfile.write(WHOLE[:start])
            for byte in WHOLE[start:]:
                if stop.wait(0.02):  # slower than its reader may wait in all, and never silent
                    return
                try:
                    self.wfile.write(bytes([byte]))
                except OSError:
                    return

        do_POST = do_GET

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http{'s' if tls else ''}://127.0.0.1:{server.server_port}", asked
    finally:
        stop.set()
        server.shutdown()
        thread.join()
        server.server_close()


def read(url, source=ITEMS):
    return [r for page in source.pages(WINDOW, Connection(url, "t0ken:of:erp")) for r in page]


@pytest.mark.parametrize("start", [0, 20, len(HEAD) + 9], ids=["status", "headers", "body"])
def test_an_answer_that_trickles_is_given_up_and_the_setting_is_named(start):
    with trickling(start) as (url, asked), pytest.raises(SourceUnreachable) as caught:
        read(url)
    said = str(caught.value)
    assert "erp: GET /items: did not send its whole answer within 0.3 s (deadline=0.3)" in said
    assert "(attempts: 3)" in said
    assert "longer deadline=" in said
    assert (caught.value.kind, caught.value.transient) == (FailureKind.NETWORK, True)
    assert caught.value.exchange["attempts"] == 3
    assert len(asked) == 3


@pytest.mark.parametrize("start", [0, 20, len(HEAD) + 9], ids=["status", "headers", "body"])
def test_it_is_given_up_over_tls_as_well(start, tmp_path, monkeypatch):
    trusted, tls = certificate(tmp_path)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(trusted))
    with trickling(start, tls=tls) as (url, asked):
        with pytest.raises(SourceUnreachable, match=r"whole answer within 0\.3 s"):
            read(url)
        assert len(asked) == 3
    with trickling(start, times=1, tls=tls) as (url, asked):
        assert read(url) == [{"id": 1}]
    assert len(asked) == 2


@pytest.mark.parametrize("source", [ITEMS, replace(ITEMS, auth=oauth2("/oauth/token"))])
def test_a_certificate_that_nobody_trusts_is_refused_before_anything_is_sent(source, tmp_path):
    _, tls = certificate(tmp_path)
    with trickling(len(WHOLE) - 3, tls=tls) as (url, asked):
        with pytest.raises(SourceUnreachable) as caught:
            read(url, source)
        assert asked == []
    said = str(caught.value)
    assert "its certificate is not trusted (self-signed certificate)" in said
    assert "REQUESTS_CA_BUNDLE" in said
    assert caught.value.kind is FailureKind.NETWORK


@pytest.mark.parametrize("start", [0, len(HEAD) + 9])
def test_what_comes_at_once_after_that_is_read(start):
    with trickling(start, times=1) as (url, asked):
        assert read(url) == [{"id": 1}]
    assert len(asked) == 2


def test_a_token_endpoint_that_trickles_is_given_up(server):
    source = replace(ITEMS, auth=oauth2("/oauth/token"))
    with trickling(5) as (url, _), pytest.raises(SourceUnreachable) as caught:
        read(url, source)
    assert "the token endpoint /oauth/token did not send its whole answer" in str(caught.value)


def test_a_slow_answer_within_its_time_is_read():
    with trickling(len(WHOLE) - 3) as (url, asked):
        assert read(url, replace(ITEMS, deadline=60.0)) == [{"id": 1}]
    assert len(asked) == 1
