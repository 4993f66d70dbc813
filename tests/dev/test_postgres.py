"""The embedded PostgreSQL, on the real thing."""

from __future__ import annotations

import os
import shutil
import signal
import stat
import subprocess
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import psycopg2
import pytest

from wfops_pipelines.dev import orphans
from wfops_pipelines.dev.cluster import find, remove
from wfops_pipelines.dev.errors import AlreadyRunning, ServiceFailed
from wfops_pipelines.dev.postgres import EmbeddedPostgres, running_url
from wfops_pipelines.errors import SettingsError

pytestmark = pytest.mark.components
Script = Callable[..., subprocess.Popen[str]]
Ends = Callable[[int], bool]
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="what root does differently")

SERVE = """
import sys
from pathlib import Path
from wfops_pipelines.dev.postgres import EmbeddedPostgres
with EmbeddedPostgres(Path(sys.argv[1])) as server:
    print(server.pid, server.url, flush=True)
    sys.stdin.read()
"""


def ask(url: str, question: str) -> list[tuple[object, ...]]:
    with closing(psycopg2.connect(url.replace("+psycopg2", ""))) as connection, connection:
        cursor = connection.cursor()
        cursor.execute(question)
        return cursor.fetchall() if cursor.description else []


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """A place for a state folder whose cluster is removed afterwards."""
    state = tmp_path / "state"
    yield state
    remove(state)


def test_it_keeps_text_as_utf8_sorts_by_code_point_and_checks_its_pages(
    server: EmbeddedPostgres,
) -> None:
    names = "server_encoding", "data_checksums", "TimeZone", "fsync"
    settings = ", ".join(f"current_setting('{name}')" for name in names)
    assert ask(server.url, f"SELECT {settings}") == [("UTF8", "on", "UTC", "on")]
    assert ask(server.url, "SELECT lower('ÄÉ'), 'B' < 'a'") == [("äé", True)]


def test_it_listens_on_no_network_port(server: EmbeddedPostgres) -> None:
    assert ask(server.url, "SELECT current_setting('listen_addresses')") == [("",)]


def test_it_lets_nobody_in_without_the_password(server: EmbeddedPostgres) -> None:
    before, _, after = server.url.partition("wfops:")
    guess = before + "wfops:guess" + after[after.index("@") :]
    with pytest.raises(psycopg2.OperationalError, match="password authentication failed"):
        ask(guess, "SELECT 1")


def test_its_folders_and_its_password_are_private(server: EmbeddedPostgres, state: Path) -> None:
    cluster = find(state)
    assert cluster is not None
    private = {cluster.data: 0o700, cluster.sockets: 0o700, cluster.password_file: 0o600}
    assert {path: mode(path) for path in private} == private


def test_the_password_is_in_no_command_line_and_no_log(
    server: EmbeddedPostgres, state: Path
) -> None:
    secret = (state / "postgres.password").read_text()
    commands = [
        path.read_bytes()
        for path in Path("/proc").glob("[0-9]*/cmdline")
        if path.parent.name != str(os.getpid()) and path.exists()
    ]
    assert not any(secret.encode() in command for command in commands)
    assert secret not in (state / "logs" / "database.log").read_text()


@as_root
def test_root_hands_the_server_to_an_account_without_any_of_its_groups(
    server: EmbeddedPostgres,
) -> None:
    status = dict(
        line.split(":", 1) for line in Path(f"/proc/{server.pid}/status").read_text().splitlines()
    )
    assert "0" not in status["Uid"].split() + status["Gid"].split()
    assert status["Groups"].split() == []


@as_root
def test_root_changes_no_folder_on_the_way_to_the_state(
    server: EmbeddedPostgres, state: Path
) -> None:
    assert [mode(folder) for folder in (state, state.parent.parent)] == [0o700, 0o700]
    assert (state / "postgres").is_symlink()


def test_a_second_server_for_the_same_state_is_refused_by_name(
    server: EmbeddedPostgres, state: Path
) -> None:
    with pytest.raises(AlreadyRunning, match=f"served by process {os.getpid()}"):
        EmbeddedPostgres(state).start()
    assert ask(server.url, "SELECT 1") == [(1,)]


def test_other_commands_find_the_running_server_and_none_once_it_has_stopped(state: Path) -> None:
    with EmbeddedPostgres(state) as server:
        assert running_url(state) == server.url
    assert running_url(state) is None
    assert server.pid is None


def test_a_state_folder_without_a_database_has_no_running_url(tmp_path: Path) -> None:
    assert running_url(tmp_path / "nothing") is None


def test_killing_the_parent_ends_the_server_and_keeps_what_was_committed(
    state: Path, script: Script, wait_for_end: Ends
) -> None:
    parent = script(SERVE, state)
    pid, url = parent.stdout.readline().split()
    ask(url, "CREATE TABLE kept AS SELECT 42 AS answer")
    ended = os.pidfd_open(int(pid))
    parent.kill()
    assert wait_for_end(ended)
    with EmbeddedPostgres(state) as server:
        assert ask(server.url, "SELECT answer FROM kept") == [(42,)]


def test_a_killed_server_recovers_at_the_next_start(state: Path, wait_for_end: Ends) -> None:
    server = EmbeddedPostgres(state)
    server.start()
    ask(server.url, "CREATE TABLE survives AS SELECT 1 AS one")
    ended = os.pidfd_open(server.pid)
    os.kill(server.pid, signal.SIGKILL)
    assert wait_for_end(ended)
    server.stop()
    with EmbeddedPostgres(state) as again:
        assert ask(again.url, "SELECT one FROM survives") == [(1,)]


def test_a_process_id_left_by_a_reboot_does_not_keep_the_server_from_starting(state: Path) -> None:
    with EmbeddedPostgres(state):
        data = find(state).data
        left = (data / "postmaster.pid").read_text().splitlines()
    (data / "postmaster.pid").write_text("\n".join([str(os.getppid()), *left[1:]]))
    assert running_url(state) is None
    with EmbeddedPostgres(state) as server:
        assert ask(server.url, "SELECT 1") == [(1,)]


def test_an_orphan_that_still_serves_the_state_is_replaced(state: Path) -> None:
    prepared = EmbeddedPostgres(state)
    prepared.prepare()
    command = prepared.service().command()
    account = command.account
    orphan = subprocess.Popen(
        command.argv,
        env=dict(command.env),
        user=account.uid if account else None,
        group=account.gid if account else None,
        extra_groups=[] if account else None,
        stderr=subprocess.PIPE,
        text=True,
    )
    for line in orphan.stderr:
        if "ready to accept connections" in line:
            break
    prepared.stop()
    with orphan, EmbeddedPostgres(state) as server:
        assert orphan.wait() == 0
        assert server.pid not in (None, orphan.pid)


@pytest.mark.parametrize(
    "name", ["with a space", "größer, 東京: #1?&%", "x" * 150], ids=["space", "unicode", "long"]
)
def test_it_serves_whatever_the_folder_is_called(tmp_path: Path, name: str) -> None:
    state = tmp_path / name / "state"
    with EmbeddedPostgres(state) as server:
        assert ask(server.url, "SELECT 1") == [(1,)]
        assert running_url(state) == server.url
    remove(state)


def test_it_needs_neither_a_locale_nor_a_home(folder: Path, script: Script) -> None:
    environment = {"HOME": "/proc", "PGHOST": "nowhere.invalid", "PGPORT": "1"}
    process = script(SERVE, folder / "größer", env=environment)
    _, url = process.stdout.readline().split()
    assert ask(url, "SELECT 1") == [(1,)]
    process.communicate("")
    assert process.returncode == 0
    remove(folder / "größer")


def test_a_half_made_cluster_is_made_anew(folder: Path, script: Script) -> None:
    with EmbeddedPostgres(folder) as server:
        data = find(folder).data
    leftover = data.parent / "making-1"
    data.rename(leftover)
    with EmbeddedPostgres(folder) as server:
        assert ask(server.url, "SELECT 1") == [(1,)]
    assert not leftover.exists()


def test_a_deleted_state_folder_begins_with_an_empty_database(folder: Path) -> None:
    with EmbeddedPostgres(folder) as server:
        ask(server.url, "CREATE TABLE old AS SELECT 1")
    shutil.rmtree(folder)
    with EmbeddedPostgres(folder) as server:
        assert ask(server.url, "SELECT to_regclass('old')") == [(None,)]


def test_a_moved_state_folder_keeps_its_database(folder: Path, tmp_path: Path) -> None:
    with EmbeddedPostgres(folder) as server:
        ask(server.url, "CREATE TABLE moved AS SELECT 1 AS one")
    elsewhere = folder.rename(tmp_path / "elsewhere")
    with EmbeddedPostgres(elsewhere) as server:
        assert ask(server.url, "SELECT one FROM moved") == [(1,)]
    remove(elsewhere)


@as_root
def test_a_copied_state_folder_does_not_share_the_database(state: Path, tmp_path: Path) -> None:
    with EmbeddedPostgres(state):
        pass
    copy = shutil.copytree(state, tmp_path / "copy", symlinks=True)
    with pytest.raises(SettingsError, match="is a copy of"):
        EmbeddedPostgres(copy).start()
    (copy / "postgres").unlink()
    with EmbeddedPostgres(copy) as server:
        assert ask(server.url, "SELECT 1") == [(1,)]
    remove(copy)


def test_a_lost_password_is_named_with_its_repair(folder: Path) -> None:
    with EmbeddedPostgres(folder):
        pass
    (folder / "postgres.password").unlink()
    with EmbeddedPostgres(folder) as server, pytest.raises(SettingsError, match="begin anew"):
        server.url  # noqa: B018 - reading it is what fails


def test_a_server_that_cannot_start_says_why(folder: Path) -> None:
    with EmbeddedPostgres(folder):
        data = find(folder).data
    (data / "PG_VERSION").write_text("9\n")
    with pytest.raises(ServiceFailed, match="incompatible with server"):
        EmbeddedPostgres(folder).start()
    assert orphans.running(data) is None


def test_an_unwritable_place_for_the_state_is_named() -> None:
    with pytest.raises(SettingsError, match="cannot make the state folder /proc/wfops"):
        EmbeddedPostgres(Path("/proc/wfops")).start()


def test_a_socket_folder_that_another_user_made_first_is_refused(tmp_path: Path) -> None:
    state = tmp_path / ("y" * 150) / "state"
    cluster_home = state / "postgres"
    if os.geteuid() == 0:
        pytest.skip("root's sockets are never in a shared folder")
    with EmbeddedPostgres(state):
        sockets = find(state).sockets
    sockets.chmod(0o777)
    with pytest.raises(SettingsError, match="not a private folder"):
        EmbeddedPostgres(state).start()
    assert cluster_home.exists()
    remove(state)


@as_root
def test_programs_that_the_account_cannot_reach_are_copied_to_where_it_can(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from wfops_pipelines.dev import binaries
    from wfops_pipelines.dev.accounts import unprivileged

    site = binaries._installed()
    reachable = Path("/var/lib") / f"wfops-test-{os.getpid()}"
    for name in (binaries.PACKAGE, f"{binaries.PACKAGE}.libs"):
        (tmp_path / name).symlink_to(site / name)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(binaries, "SHARED_FOLDER", reachable)
    try:
        found = binaries.programs(unprivileged())
        assert reachable in found.parents
        assert mode(tmp_path) == 0o700
    finally:
        shutil.rmtree(reachable)
