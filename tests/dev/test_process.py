"""Commands under guard: nothing that they start outlives them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from wfops_pipelines.dev.process import Command, Guarded

Script = Callable[..., subprocess.Popen[str]]
Ends = Callable[[int], bool]

STUBBORN = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN);"
TELL = "import os, sys; os.write(os.open(sys.argv[1], os.O_WRONLY), b'%d\\n' % os.getpid());"
WAIT = "import signal; signal.pause()"
# A grandchild in a session of its own, whose parent is gone: out of reach of process groups.
GRANDCHILD = f"""
import os, sys, signal
if os.fork() == 0:
    if os.fork() == 0:
        os.setsid()
        {STUBBORN}
        {TELL}
        signal.pause()
    os._exit(0)
os.wait()
signal.pause()
"""
GUARD = f"""
import sys
from pathlib import Path
from wfops_pipelines.dev.process import Command, Guarded
argv = [sys.executable, "-c", sys.argv[3], sys.argv[1]]
guarded = Guarded(Command(argv, grace=0.1), Path(sys.argv[2]))
{WAIT}
"""


@pytest.fixture
def fifo(tmp_path: Path) -> Path:
    """A pipe by name, on which little processes tell their process id."""
    os.mkfifo(tmp_path / "fifo")
    return tmp_path / "fifo"


def told(fifo: Path) -> int:
    """A descriptor for the process that told its id."""
    with fifo.open() as pipe:
        return os.pidfd_open(int(pipe.readline()))


def python(code: str, *arguments: object) -> list[str]:
    return [sys.executable, "-c", code, *map(str, arguments)]


def test_the_exit_code_and_the_output_are_those_of_the_command(tmp_path: Path) -> None:
    log = tmp_path / "log"
    guarded = Guarded(Command(python("print('hello'); raise SystemExit(7)")), log)
    assert guarded.wait(None)
    assert (guarded.stop(), log.read_text()) == (7, "hello\n")


def test_a_killed_command_reports_the_signal(tmp_path: Path) -> None:
    guarded = Guarded(Command(python(WAIT)), tmp_path / "log")
    os.kill(guarded.pid, signal.SIGKILL)
    assert guarded.wait(None)
    assert guarded.stop() == 128 + signal.SIGKILL


def test_a_command_that_cannot_be_run_says_so_in_its_log(tmp_path: Path) -> None:
    guarded = Guarded(Command(["/nowhere/at/all"]), tmp_path / "log")
    assert (guarded.pid, guarded.stop()) == (None, 127)
    assert "cannot run /nowhere/at/all" in (tmp_path / "log").read_text()


def test_stopping_sends_the_signal_that_the_command_asks_for(tmp_path: Path, fifo: Path) -> None:
    code = (
        "import signal; signal.signal(signal.SIGINT, lambda *_: exit(5));" + TELL + "signal.pause()"
    )
    guarded = Guarded(Command(python(code, fifo), stop_signal=signal.SIGINT), tmp_path / "log")
    os.close(told(fifo))
    assert guarded.stop() == 5


def test_a_command_that_ignores_the_signal_is_killed_after_the_grace(
    tmp_path: Path, fifo: Path
) -> None:
    guarded = Guarded(Command(python(STUBBORN + TELL + WAIT, fifo), grace=0.1), tmp_path / "log")
    os.close(told(fifo))
    assert guarded.stop() == 128 + signal.SIGKILL


def test_killing_does_not_wait_for_the_grace(tmp_path: Path, fifo: Path) -> None:
    code = (
        "import os, sys, signal\n"
        "def hear(*_): open(sys.argv[2], 'w').write('heard')\n"
        f"signal.signal(signal.SIGTERM, hear); {TELL}\n"
        "while True: signal.pause()"
    )
    heard = tmp_path / "heard"
    os.mkfifo(heard)
    guarded = Guarded(Command(python(code, fifo, heard), grace=3600), tmp_path / "log")
    os.close(told(fifo))
    guarded.ask_to_stop()
    assert heard.read_text() == "heard"
    guarded.kill()
    assert guarded.stop() == 128 + signal.SIGKILL


@pytest.mark.slow
def test_grandchildren_that_left_the_session_end_with_it(
    tmp_path: Path, fifo: Path, wait_for_end: Ends
) -> None:
    guarded = Guarded(Command(python(GRANDCHILD, fifo)), tmp_path / "log")
    grandchild = told(fifo)
    guarded.stop()
    assert wait_for_end(grandchild)


@pytest.mark.slow
def test_grandchildren_end_when_their_service_crashes(
    tmp_path: Path, fifo: Path, wait_for_end: Ends
) -> None:
    guarded = Guarded(Command(python(GRANDCHILD, fifo)), tmp_path / "log")
    grandchild = told(fifo)
    os.kill(guarded.pid, signal.SIGKILL)
    assert wait_for_end(grandchild)
    assert guarded.stop() == 128 + signal.SIGKILL


@pytest.mark.slow
@pytest.mark.parametrize("code", [TELL + WAIT, GRANDCHILD], ids=["child", "grandchild"])
def test_killing_the_parent_ends_the_tree(
    tmp_path: Path, fifo: Path, script: Script, wait_for_end: Ends, code: str
) -> None:
    parent = script(GUARD, fifo, tmp_path / "log", code)
    below = told(fifo)
    parent.kill()
    assert wait_for_end(below)


def test_killing_the_warden_ends_its_command(
    tmp_path: Path, fifo: Path, wait_for_end: Ends
) -> None:
    guarded = Guarded(Command(python(TELL + WAIT, fifo)), tmp_path / "log")
    command = told(fifo)
    signal.pidfd_send_signal(guarded.fileno(), signal.SIGKILL)
    assert wait_for_end(command)
    assert guarded.stop() == -signal.SIGKILL


def test_the_environment_is_the_one_given_and_no_other(tmp_path: Path) -> None:
    log = tmp_path / "log"
    code = "import os; print(os.environ.get('GIVEN'), os.environ.get('HOME'))"
    guarded = Guarded(Command(python(code), env={"GIVEN": "größer"}), log)
    assert guarded.wait(None)
    guarded.close()
    assert log.read_text(encoding="utf-8") == "größer None\n"
