"""The supervisor, with real little processes and real signals."""

from __future__ import annotations

import os
import re
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path
from textwrap import indent as indented

import pytest

from wfops_pipelines.dev.errors import AlreadyRunning
from wfops_pipelines.dev.locks import StateLock

Script = Callable[..., subprocess.Popen[str]]
Ends = Callable[[int], bool]

# Each little service writes its process id to a file, and is ready when that is there.
PROJECT = """
import os, sys, signal
from pathlib import Path
from wfops_pipelines.dev.supervise import Service, supervise

logs = Path(sys.argv[1])
say = lambda line: print(line, flush=True)
wait = "import signal; signal.pause()"

def service(name, first="", then=wait, **more):
    mark = logs / f"{name}.pid"
    known = f"import os; open({str(mark)!r}, 'w').write(str(os.getpid()));"
    more.setdefault("ready", lambda: mark.exists() and mark.read_text() != "")
    before = lambda: mark.unlink(missing_ok=True)
    return Service(name, [sys.executable, "-c", first + known + then], before=before, **more)
"""
TWO = PROJECT + "supervise([service('first'), service('second')], logs, say=say)"

CATCH = "\ntry:\n"
CAUGHT = "\nexcept Exception as problem: print(f'{type(problem).__name__}: {problem}')\n"
HOLD = """
import sys
from pathlib import Path
from wfops_pipelines.dev.locks import StateLock
with StateLock(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


def lines_until(process: subprocess.Popen[str], pattern: str) -> list[str]:
    """What the tree says, up to the first line that matches; fails when it ends before."""
    said = []
    for line in process.stdout:
        said.append(line)
        if re.search(pattern, line):
            return said
    raise AssertionError(f"no line matched {pattern}: {said}")


def indent(code: str) -> str:
    return indented(code, "    ")


def watch(logs: Path, name: str) -> tuple[int, int]:
    """The process id of a service, and a descriptor for that process."""
    pid = int((logs / f"{name}.pid").read_text())
    return pid, os.pidfd_open(pid)


def test_services_start_in_order_and_stop_in_reverse(tmp_path: Path, script: Script) -> None:
    tree = script(TWO, tmp_path)
    started = lines_until(tree, "second +ready")
    assert re.fullmatch(r"  first   ready \(\d+\.\d s\)\n", started[0])
    tree.send_signal(signal.SIGINT)
    stopped, _ = tree.communicate()
    assert stopped == (
        "stopping; press Ctrl-C again to kill what is left\n  second  stopped\n  first   stopped\n"
    )


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_each_stop_signal_ends_the_tree_with_success(
    tmp_path: Path, script: Script, wait_for_end: Ends, number: signal.Signals
) -> None:
    tree = script(TWO, tmp_path)
    lines_until(tree, "second +ready")
    services = [watch(tmp_path, name)[1] for name in ("first", "second")]
    tree.send_signal(number)
    tree.communicate()
    assert tree.returncode == 0
    assert all(map(wait_for_end, services))


def test_a_signal_during_the_start_stops_what_has_started(
    tmp_path: Path, script: Script, wait_for_end: Ends
) -> None:
    never = "supervise([service('first'), service('never', ready=lambda: False)], logs, say=say)"
    tree = script(PROJECT + never, tmp_path)
    lines_until(tree, "first +ready")
    _, first = watch(tmp_path, "first")
    tree.send_signal(signal.SIGTERM)
    tree.communicate()
    assert tree.returncode == 0
    assert wait_for_end(first)


def test_killing_the_supervisor_takes_the_tree_down(
    tmp_path: Path, script: Script, wait_for_end: Ends
) -> None:
    tree = script(TWO, tmp_path)
    lines_until(tree, "second +ready")
    services = [watch(tmp_path, name)[1] for name in ("first", "second")]
    tree.kill()
    assert all(map(wait_for_end, services))


def test_a_second_signal_kills_what_will_not_stop(
    tmp_path: Path, script: Script, wait_for_end: Ends
) -> None:
    ignore = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN);"
    deaf = f"supervise([service('deaf', {ignore!r}, grace=3600)], logs, say=say)"
    tree = script(PROJECT + deaf, tmp_path)
    lines_until(tree, "deaf +ready")
    _, service = watch(tmp_path, "deaf")
    tree.send_signal(signal.SIGINT)
    lines_until(tree, "again to kill")
    tree.send_signal(signal.SIGINT)
    tree.communicate()
    assert tree.returncode == 0
    assert wait_for_end(service)


def test_a_killed_service_comes_back_and_the_others_stay(tmp_path: Path, script: Script) -> None:
    tree = script(TWO, tmp_path)
    lines_until(tree, "second +ready")
    (killed, _), (other, _) = watch(tmp_path, "first"), watch(tmp_path, "second")
    os.kill(killed, signal.SIGKILL)
    said = lines_until(tree, "first +ready again")
    assert "was ended by SIGKILL; restart 1 of 5" in said[0]
    assert watch(tmp_path, "first")[0] != killed
    assert watch(tmp_path, "second")[0] == other


def test_a_service_that_keeps_dying_ends_the_tree_with_the_end_of_its_log(
    tmp_path: Path, script: Script, wait_for_end: Ends
) -> None:
    dying = (
        "supervise([service('steady'),"
        " service('dying', then='import sys; sys.exit(\"no more ideas\")', ready=None)],"
        " logs, say=say, max_restarts=1)"
    )
    tree = script(PROJECT + CATCH + indent(dying) + CAUGHT, tmp_path)
    said, _ = tree.communicate()
    assert "ServiceFailed: dying ended with exit code 1, after 1 restarts. Its log" in said
    assert "    no more ideas" in said
    assert "  steady  stopped" in said


def test_a_service_that_dies_before_it_is_ready_says_why(tmp_path: Path, script: Script) -> None:
    broken = (
        "supervise([service('broken', 'import sys; sys.exit(\"no such setting\");')],"
        " logs, say=say)"
    )
    said, _ = script(PROJECT + CATCH + indent(broken) + CAUGHT, tmp_path).communicate()
    assert "broken ended with exit code 1 before it was ready" in said
    assert "    no such setting" in said


def test_a_service_that_is_never_ready_is_given_up_after_its_patience(
    tmp_path: Path, script: Script
) -> None:
    slow = "supervise([service('slow', ready=lambda: False, patience=0.2)], logs, say=say)"
    said, _ = script(PROJECT + CATCH + indent(slow) + CAUGHT, tmp_path).communicate()
    assert "slow is not ready after 0.2 s" in said
    assert "  slow  stopped" in said


def test_a_web_service_is_ready_when_it_answers(tmp_path: Path, script: Script) -> None:
    serving = """
from wfops_pipelines.dev.ports import free_port
url = f"http://127.0.0.1:{(port := free_port())}/"
argv = [sys.executable, "-m", "http.server", "--bind", "127.0.0.1", str(port)]
import urllib.request
os.environ.update(http_proxy="http://127.0.0.1:1", no_proxy="")
open_ = urllib.request.build_opener(urllib.request.ProxyHandler({})).open
task = lambda: say(f"answered {open_(url).status}")
supervise([Service("web", argv, ready=url)], logs, say=say, task=task, keep_serving=False)
"""
    said, _ = script(PROJECT + serving, tmp_path).communicate()
    assert said.splitlines()[1:] == ["answered 200", "  web  stopped"]


def test_the_end_of_a_task_ends_the_tree_when_it_need_not_go_on(
    tmp_path: Path, script: Script
) -> None:
    once = (
        "supervise([service('one')], logs, say=say,"
        " task=lambda: say('the task'), keep_serving=False)"
    )
    tree = script(PROJECT + once, tmp_path)
    said, _ = tree.communicate()
    assert said.splitlines()[1:] == ["the task", "  one  stopped"]
    assert tree.returncode == 0


def test_a_failing_task_stops_the_tree_and_is_raised(tmp_path: Path, script: Script) -> None:
    failing = "supervise([service('one')], logs, say=say, task=lambda: 1 / 0)"
    said, _ = script(PROJECT + CATCH + indent(failing) + CAUGHT, tmp_path).communicate()
    assert said.splitlines()[1:] == ["  one  stopped", "ZeroDivisionError: division by zero"]


def test_the_log_of_the_run_before_is_kept(tmp_path: Path, script: Script) -> None:
    (tmp_path / "one.log").write_text("the run before")
    once = "supervise([service('one')], logs, say=say, task=lambda: None, keep_serving=False)"
    script(PROJECT + once, tmp_path).communicate()
    assert (tmp_path / "one.log.1").read_text() == "the run before"
    assert (tmp_path / "one.log").read_text() == ""


@pytest.mark.components
def test_a_killed_database_comes_back_with_what_was_committed(state: Path, script: Script) -> None:
    serving = """
from wfops_pipelines.dev.postgres import EmbeddedPostgres
database = EmbeddedPostgres(Path(sys.argv[2]))
database.prepare()
try:
    supervise([database.service()], logs, say=lambda line: say(f"{database.pid} {line}"))
finally:
    database.stop()
"""
    tree = script(PROJECT + serving, state / "logs", state)
    pid = int(lines_until(tree, "database +ready")[-1].split()[0])
    os.kill(pid, signal.SIGKILL)
    again = lines_until(tree, "database +ready again")[-1]
    assert int(again.split()[0]) != pid
    tree.send_signal(signal.SIGINT)
    tree.communicate()
    assert tree.returncode == 0


def test_a_state_folder_has_one_holder_at_a_time(tmp_path: Path, script: Script) -> None:
    lock = tmp_path / "dev.lock"
    holder = script(HOLD, lock)
    assert holder.stdout.readline() == "held\n"
    with pytest.raises(AlreadyRunning, match=f"served by process {holder.pid}"):
        StateLock(lock).take()
    holder.kill()
    holder.wait()
    with StateLock(lock):
        pass
