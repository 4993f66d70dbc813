"""The sandbox as a process: it says when it is ready, and being killed costs it nothing."""

from __future__ import annotations

import socket
import subprocess
import sys
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from wfops_pipelines.sandbox import (
    NOW,
    SEED,
    Sandbox,
    ready_url,
    sandbox_process,
    sandbox_thread,
    start_process,
)

pytestmark = pytest.mark.components


def test_a_killed_sandbox_starts_again_as_if_nothing_had_happened(state: Path, caller_of):
    later = NOW + timedelta(days=3)
    with sandbox_process(state) as first:
        first.client.set_clock(later)
        first.client.set_fault("billing", "rate_limit", times=9)
        caller_of(first).get("billing")
        ticket = caller_of(first).get("support").body["tickets"][0]["id"]
        path, key = f"/api/v2/tickets/{ticket}/comments", {"Idempotency-Key": "k"}
        reply = caller_of(first).post("support", path, {"body": "Hello"}, key)
        contacts = caller_of(first).get("crm").body
    with sandbox_thread(state, seed=99, now=NOW - timedelta(days=30)) as second:
        about = second.client.about()
        call = caller_of(second)
        again = call.post("support", path, {"body": "Hello"}, key)
        assert (about["seed"], second.client.now()) == (SEED, later)
        assert [f["times"] for f in about["faults"]] == [8]
        assert again.body == reply.body
        assert call.get("support", path).body["count"] == 2
        assert call.get("crm").body["results"] == contacts["results"]


def test_no_acknowledged_reply_is_lost_when_killed_under_load(state: Path, caller_of):
    process = start_process(state)
    sandbox = Sandbox(ready_url(process))
    ticket = caller_of(sandbox).get("support").body["tickets"][0]["id"]
    path = f"/api/v2/tickets/{ticket}/comments"
    acknowledged: list[int] = []
    enough = threading.Event()

    def reply() -> None:
        for n in range(10_000):
            try:
                sent = {"Idempotency-Key": f"k{n}"}
                answer = caller_of(sandbox).post("support", path, {"body": f"reply {n}"}, sent)
            except OSError:
                return
            acknowledged.append(answer.body["comment"]["id"])
            if n == 20:
                enough.set()

    writer = threading.Thread(target=reply)
    writer.start()
    enough.wait(30)
    process.kill()
    process.communicate()
    writer.join()
    with sandbox_thread(state) as again:
        stored = caller_of(again).get("support", path).body["comments"][1:]
    assert len(acknowledged) > 20
    assert {c["id"] for c in stored} >= set(acknowledged)
    assert len({c["metadata"]["custom"]["idempotency_key"] for c in stored}) == len(stored)


def test_it_stops_at_a_word_and_leaves_no_noise(state: Path):
    process = start_process(state)
    ready_url(process)
    process.terminate()
    rest, _ = process.communicate(timeout=20)
    assert rest == ""


def test_a_port_in_use_is_said_in_one_line(state: Path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        command = [sys.executable, "-m", "wfops_pipelines.sandbox"]
        done = subprocess.run(
            [*command, "--state", str(state), "--port", port],
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.returncode == 1
    assert done.stderr.startswith(f"sandbox: port {port}:")
    assert done.stderr.count("\n") == 1


def test_a_sandbox_listens_on_loopback_only(sandbox):
    assert sandbox.url.startswith("http://127.0.0.1:")


def test_a_running_clock_goes_on_by_itself(sandbox):
    start = datetime(2026, 6, 16, tzinfo=UTC)
    sandbox.client.set_clock(start, rate=86_400.0)
    first = sandbox.client.now()
    assert first >= start
    while sandbox.client.now() == first:
        pass


def test_importing_the_sandbox_loads_no_server():
    code = (
        "import sys, wfops_pipelines.sandbox;"
        "print([m for m in ('starlette', 'uvicorn', 'orjson') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
