"""Runs are forked from a process that has imported what they need and ends with its server."""

import inspect
import os
import select
import signal
import subprocess
import sys

import pytest

SERVER = """
import multiprocessing, os, sys, time
sys.argv = ["dagster", "api", "grpc"]
from wfops_pipelines.orchestration.warm import fork_runs
import tests.orchestration.warm_child as child
fork_runs()
context = multiprocessing.get_context("spawn")
queue = context.Queue()
run = context.Process(target=child.report, args=[queue])
run.start()
print(*queue.get(timeout=60), flush=True)
run.join()
sys.stdin.read()
"""


@pytest.fixture
def server():
    """A process that does what Dagster's code server does; its first line tells of a run."""
    started = []

    def start(**env):
        process = subprocess.Popen(
            [sys.executable, "-c", SERVER],
            env={**os.environ, "PYTHONPATH": os.getcwd(), **env},
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        started.append(process)
        imported, parent = process.stdout.readline().split()
        return process, imported == "True", int(parent)

    yield start
    for process in started:
        process.kill()
        process.wait()
        process.stdin.close()
        process.stdout.close()


@pytest.mark.slow
def test_a_run_finds_everything_imported_and_its_parent_ends_with_the_server(server):
    process, imported, parent = server(WFOPS_WARM_RUNS="1")
    assert imported
    assert parent != process.pid
    ends = os.pidfd_open(parent)
    try:
        process.send_signal(signal.SIGKILL)
        assert select.select([ends], [], [], 30)[0], "it outlived its server"
    finally:
        os.close(ends)


@pytest.mark.slow
def test_without_being_asked_runs_are_started_as_dagster_does(server):
    process, imported, parent = server(WFOPS_WARM_RUNS="")
    assert not imported
    assert parent == process.pid


def test_dagster_still_makes_its_runs_by_a_spawn_context():
    from dagster._grpc.server import DagsterApiServer

    assert 'get_context("spawn")' in inspect.getsource(DagsterApiServer.__init__)
    assert "self._mp_ctx.Process(" in inspect.getsource(DagsterApiServer.StartRun)
