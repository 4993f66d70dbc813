"""The trail in the real database, its heads in a real file, and everything done to them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from wfops_pipelines import auditing
from wfops_pipelines.core.audit import Action, AuditEvent
from wfops_pipelines.core.people import People
from wfops_pipelines.core.reviews import Actor
from wfops_pipelines.core.verifier import GENESIS, link
from wfops_pipelines.errors import SettingsError
from wfops_pipelines.services import open_services
from wfops_pipelines.settings import Settings
from wfops_pipelines.store import audit, database, heads

pytestmark = pytest.mark.components

TABLES = ("audit", "audit_head")


@pytest.fixture
def services(database_url, tmp_path):
    return open_services(Settings(tmp_path, tmp_path / "state", database_url, {}), People({}, {}))


def event(subject="s #1", reason=""):
    return AuditEvent(datetime(2026, 1, 1, tzinfo=UTC), Actor("a"), Action.PAUSED, subject, reason)


def append(services, *events):
    with services.engine.connect() as conn:
        for one in events:
            audit.append(conn, one)
            conn.commit()


class as_owner:
    """A transaction of somebody who owns the tables and means no good."""

    def __init__(self, services):
        self.begun = services.engine.begin()

    def __enter__(self):
        self.conn = self.begun.__enter__()
        for table in TABLES:
            self("alter table wfops.{} disable trigger all", table)
        return self

    def __exit__(self, *error):
        if error == (None, None, None):
            for name in database.TRIGGERS:
                table = "audit_head" if "head" in name else "audit"
                self("alter table wfops.{} enable always trigger {}", table, name)
        return self.begun.__exit__(*error)

    def __call__(self, sql, *names, **values):
        return self.conn.execute(sa.text(sql.format(*names)), values)

    def rows(self):
        found = self("select n, body, hash, action, subject from wfops.audit order by n")
        return [dict(r._mapping) for r in found]

    def put(self, rows):
        """These rows and no others."""
        self("delete from wfops.audit")
        for row in rows:
            self("insert into wfops.audit values (:n, :body, :hash, :action, :subject)", **row)

    def head(self, n, hash_):
        self("update wfops.audit_head set n = :n, hash = :h", n=n, h=hash_)


def edited(row):
    said = {**json.loads(row["body"]), "reason": "as it suits me"}
    return {**row, "body": json.dumps(said, sort_keys=True, separators=(",", ":"))}


def rehashed(rows, start):
    """The chain made right again from index `start` on."""
    previous, done = rows[start - 1]["hash"] if start else GENESIS, rows[:start]
    for row in rows[start:]:
        previous = link(previous, row["body"])
        done.append({**row, "hash": previous})
    return done


def numbered(rows):
    return [{**r, "n": n} for n, r in enumerate(rows, 1)]


def tamper(owner, kind, at, signed):
    """Do it at the event with index `at`; the number of the event that must be named."""
    rows, n = owner.rows(), at + 1
    match kind:
        case "edit":
            owner.put([*rows[:at], edited(rows[at]), *rows[n:]])
        case "subject column":
            owner("update wfops.audit set subject = 'other' where n = :n", n=n)
        case "action column":
            owner("update wfops.audit set action = 'rows.published' where n = :n", n=n)
        case "hash":
            owner("update wfops.audit set hash = :h where n = :n", h="f" * 64, n=n)
        case "delete":
            owner("delete from wfops.audit where n = :n", n=n)
        case "delete and renumber":
            kept = numbered([*rows[:at], *rows[n:]])
            owner.put(kept)
            owner.head(len(kept), kept[-1]["hash"])
            return n
        case "insert":
            new = {**edited(rows[at]), "hash": link(rows[at]["hash"], edited(rows[at])["body"])}
            more = numbered([*rows[:n], new, *rows[n:]])
            owner.put(more)
            owner.head(len(more), more[-1]["hash"])
            if n == len(rows):
                return None  # after the last one: what any new event looks like
            return n + 1 if n + 1 in signed else n + 2
        case "reorder":
            other = at - 1 if at else 1
            first, second = sorted((at, other))
            moved = [*rows]
            moved[first], moved[second] = rows[second], rows[first]
            owner.put(numbered(moved))
            return first + 1
        case "cut tail":
            owner.put(rows[:at])
            owner.head(at, rows[at - 1]["hash"] if at else GENESIS)
        case "cut tail, head left":
            owner.put(rows[:at])
        case "full re-hash":
            forged = rehashed([*rows[:at], edited(rows[at]), *rows[n:]], at)
            owner.put(forged)
            owner.head(len(forged), forged[-1]["hash"])
            return min(s for s in signed if s >= n)
    return n


KINDS = (
    "edit", "subject column", "action column", "hash", "delete", "delete and renumber", "insert",
    "reorder", "cut tail", "cut tail, head left", "full re-hash",
)  # fmt: skip
SIGNED = st.sampled_from([False, False, True])
TEXTS = st.text(st.characters(blacklist_characters="\0", blacklist_categories=["Cs"]), max_size=8)


def start_again(services, plan):
    """A trail of `plan`: (subject, reason, sign after it?); the numbers that were signed."""
    with as_owner(services) as owner:
        owner("truncate wfops.audit")
        owner.head(0, GENESIS)
    services.vault.file.unlink(missing_ok=True)
    waiting = []
    for subject, reason, sign in plan:
        waiting.append(event(subject, reason))
        if sign:
            append(services, *waiting)
            auditing.seal(services)
            waiting = []
    append(services, *waiting)
    auditing.seal(services)
    return {h.n for h in heads.read(services.vault)}


@settings(
    max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    st.lists(st.tuples(TEXTS, TEXTS, SIGNED), min_size=3, max_size=12),
    st.sampled_from(KINDS),
    st.data(),
)
def test_whatever_the_owner_of_the_tables_changes_is_found_at_its_place(services, plan, kind, data):
    signed = start_again(services, plan)
    assert len(plan) in signed
    assert auditing.verify(services).problems == []
    at = data.draw(st.integers(0, len(plan) - 1), label="index")
    with as_owner(services) as owner:
        expected = tamper(owner, kind, at, signed)
    found = auditing.verify(services).problems
    if expected is None:
        assert found == []
    else:
        assert found, (kind, at)
        assert min(p.n for p in found if p.n is not None) == expected
        assert all(p.words and p.repair for p in found)


def test_eight_writers_raise_no_false_alarm(services):
    append(services, event())
    auditing.seal(services)
    stop = threading.Event()

    def write(name):
        while not stop.is_set():
            append(services, event(f"{name} #1"))
            auditing.seal(services)

    with ThreadPoolExecutor(8) as pool:
        running = [pool.submit(write, f"w{i}") for i in range(8)]
        reports = []
        try:
            while len(reports) < 12 or reports[-1].events < 60:
                reports.append(auditing.verify(services))
        finally:
            stop.set()
        for one in running:
            one.result()
    assert [r.problems for r in reports if r.problems] == []
    last = auditing.verify(services)
    assert last.problems == []
    assert last.events >= 60


def test_what_each_writer_appended_is_in_its_order_and_none_is_lost(services):
    def write(name):
        append(services, *(event(name, str(i)) for i in range(20)))

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(write, ["w0", "w1", "w2", "w3"]))
    with services.engine.connect() as conn:
        for name in ("w0", "w3"):
            assert [e["reason"] for e in audit.trail(conn, name)] == [str(i) for i in range(20)]
        assert [e["n"] for e in audit.newest(conn, None, 1000)] == list(range(1, 81))


def test_an_event_whose_transaction_fails_leaves_no_trace(services):
    append(services, event())
    with services.engine.connect() as conn:
        audit.append(conn, event("lost"))
        conn.rollback()
    append(services, event())
    auditing.seal(services)
    report = auditing.verify(services)
    assert (report.events, report.problems) == (2, [])


@pytest.mark.parametrize(
    "sql",
    [
        "update wfops.audit set body = body",
        "delete from wfops.audit",
        "truncate wfops.audit",
        "delete from wfops.audit_head",
        "truncate wfops.audit_head",
        "update wfops.audit_head set n = 0",
        "set session_replication_role = replica; delete from wfops.audit",
    ],
)
def test_the_database_refuses_what_is_no_append(services, sql):
    append(services, event(), event())
    refused = pytest.raises(sa.exc.DBAPIError, match=r"insert-only|only goes forward")
    with services.engine.connect() as conn, refused:
        conn.exec_driver_sql(sql)


def test_an_owner_without_superuser_rights_cannot_change_it_by_right_either(services):
    """The embedded server's user is a superuser, whom no right binds: ask as another."""
    with services.engine.begin() as conn:
        conn.exec_driver_sql("create role plain; alter schema wfops owner to plain")
        for table in TABLES:
            conn.exec_driver_sql(f"alter table wfops.{table} owner to plain")
        rights = {
            (table, right): conn.execute(
                sa.text("select has_table_privilege('plain', :t, :r)"),
                {"t": f"wfops.{table}", "r": right},
            ).scalar()
            for table in TABLES
            for right in ("insert", "select", "update", "delete", "truncate")
        }
        conn.exec_driver_sql("drop owned by plain cascade")
        conn.exec_driver_sql("drop role plain")
    assert {k for k, may in rights.items() if may} == {
        *((t, r) for t in TABLES for r in ("insert", "select")),
        ("audit_head", "update"),
    }


def test_a_trigger_that_was_switched_off_is_told(services):
    append(services, event())
    auditing.seal(services)
    with services.engine.begin() as conn:
        conn.exec_driver_sql("alter table wfops.audit disable trigger audit_insert_only")
    (problem,) = auditing.verify(services).problems
    assert problem.subject == "audit_insert_only"


def test_a_crash_before_signing_leaves_a_tail_that_the_next_signing_takes_in(services):
    append(services, event())
    auditing.seal(services)
    append(services, event(), event())
    assert (auditing.verify(services).unsigned, auditing.verify(services).problems) == (2, [])
    assert auditing.seal(services).n == 3
    assert auditing.seal(services) is None
    assert auditing.verify(services).unsigned == 0


def test_nothing_more_is_signed_on_a_trail_that_lost_what_was_signed(services):
    append(services, event(), event())
    auditing.seal(services)
    with as_owner(services) as owner:
        owner.put(rehashed([edited(r) for r in owner.rows()], 0))
    append(services, event())
    with pytest.raises(auditing.TrailRewritten, match=r"event 2 .* `wfops audit verify"):
        auditing.seal(services)


def test_a_line_that_a_crash_tore_is_passed_over_and_ended(services):
    append(services, event())
    auditing.seal(services)
    with services.vault.file.open("ab") as file:
        file.write(b'{"n": 2, "hash": "abc')
    append(services, event())
    auditing.seal(services)
    assert [h.n for h in heads.read(services.vault)] == [1, 2]
    assert auditing.verify(services).problems == []


def test_the_key_is_its_owners_alone_and_heads_go_where_the_settings_say(services, tmp_path):
    append(services, event())
    auditing.seal(services)
    assert services.vault.key_file.stat().st_mode & 0o777 == 0o600
    assert services.vault.file.stat().st_mode & 0o777 == 0o600
    named = Settings(
        tmp_path,
        tmp_path,
        None,
        {"WFOPS_AUDIT_HEADS_FILE": "/mnt/worm/heads.jsonl", "WFOPS_AUDIT_KEY_FILE": "/run/key"},
    )
    assert (str(named.audit_heads), str(named.audit_key)) == ("/mnt/worm/heads.jsonl", "/run/key")


def test_a_key_that_was_named_is_never_made(services, tmp_path):
    append(services, event())
    elsewhere = replace(services, vault=replace(services.vault, key=tmp_path / "none.pem"))
    with pytest.raises(SettingsError, match=r"none\.pem.*Restore it"):
        auditing.seal(elsewhere)


def test_a_key_that_everybody_can_use_is_refused(services):
    append(services, event(), event())
    auditing.seal(services)
    services.vault.key_file.chmod(0o644)
    with pytest.raises(SettingsError, match="chmod 600"):
        auditing.verify(services)


def test_heads_of_a_replaced_key_count_when_the_old_key_is_named(services):
    append(services, event())
    old = auditing.seal(services).key
    services.vault.key_file.unlink()
    with pytest.raises(SettingsError):
        auditing.verify(services)
    heads._make_key(services.vault.key_file)
    append(services, event())
    auditing.seal(services)
    assert "unknown key" in auditing.verify(services).problems[0].words
    knowing = replace(services, vault=replace(services.vault, old_keys=(old,)))
    assert auditing.verify(knowing).problems == []


def test_heads_kept_elsewhere_find_a_cut_tail_when_the_file_was_cut_as_well(services):
    append(services, event(), event(), event())
    log = [auditing.seal(services)]
    with as_owner(services) as owner:
        rows = owner.rows()
        owner.put(rows[:1])
        owner.head(1, rows[0]["hash"])
    services.vault.file.unlink()
    auditing.seal(services)
    assert auditing.verify(services).problems == []
    (problem,) = auditing.verify(services, log).problems
    assert "event 3 was signed, but the trail ends at event 1" in problem.words


def bundle(services, tmp_path, name="audit.zip"):
    path = tmp_path / name
    auditing.export(services, path)
    return path


def outsider(path, *options):
    """Runs the one documented command as somebody who has Python and nothing else."""
    done = subprocess.run(
        [sys.executable, "-S", "-E", path.name, *options],
        capture_output=True, text=True, cwd=path.parent, env={"PATH": os.environ["PATH"]},
    )  # fmt: skip
    return done.returncode, done.stdout + done.stderr


def test_an_outsider_verifies_a_bundle_with_the_standard_library_alone(services, tmp_path):
    append(services, event(), event("s #2", "\x1b[31mred"), event())
    auditing.seal(services)
    key = auditing.keys(services)[0]
    path = bundle(services, tmp_path)
    code, said = outsider(path, "--key", key)
    assert (code, said.splitlines()[0]) == (0, "3 events, unbroken; 1 signed heads")
    assert outsider(path, "--key", "ab" * 32)[0] == 1


@pytest.mark.parametrize("kind", ["edit", "delete", "reorder", "cut tail", "full re-hash"])
def test_an_outsider_finds_what_was_tampered_with_before_the_export(services, tmp_path, kind):
    signed = start_again(services, [("a", "", False)] * 5)
    with as_owner(services) as owner:
        tamper(owner, kind, 2, signed)
    code, said = outsider(bundle(services, tmp_path))
    assert code == 1
    assert said.startswith("✗ event ")


@pytest.mark.parametrize("part", ["events.jsonl", "heads.jsonl", "keys.json"])
def test_an_outsider_finds_what_was_tampered_with_in_the_bundle(services, tmp_path, part):
    import zipfile

    start_again(services, [("a", "", True)] * 4)
    key, path = auditing.keys(services)[0], bundle(services, tmp_path)
    other = tmp_path / "other.zip"
    with zipfile.ZipFile(path) as source, zipfile.ZipFile(other, "w") as target:
        for name in source.namelist():
            data = source.read(name)
            if name == part:
                data = (
                    data.replace(b"2", b"3", 1) if part != "keys.json" else b'["%s"]' % (b"0" * 64)
                )
            target.writestr(name, data)
    assert outsider(other)[0] in (1, 2)
    assert outsider(path, "--key", key)[0] == 0


def test_a_bundle_that_is_none_is_no_success(tmp_path, services):
    path = bundle(services, tmp_path)
    (tmp_path / "broken.zip").write_bytes(b"not a zip")
    code, said = outsider(path, "broken.zip")
    assert code == 2
    assert "no bundle" in said


STAGED = [{"id": "1", "name": "n", "amount": 5, "updated_at": datetime(2026, 5, 1, tzinfo=UTC)}]


@pytest.fixture
def published(bench):
    bench.run(STAGED)
    auditing.seal(bench.services)
    assert auditing.verify(bench.services).problems == []
    return bench


def found(bench):
    (problem,) = auditing.verify(bench.services).problems
    assert problem.subject == "things #1"
    return problem.n, problem.words


def test_a_swapped_snapshot_file_is_found(published):
    (file,) = published.folder.glob("*.parquet")
    file.chmod(0o600)
    file.write_bytes(file.read_bytes() + b"!")
    assert found(published) == (1, f"the file {file.name} is not what was staged")


def test_a_missing_snapshot_file_is_found(published):
    (file,) = published.folder.glob("*.parquet")
    file.unlink()
    assert found(published) == (1, f"the file {file.name} is missing")


def test_a_swapped_digest_in_the_store_is_found(published):
    with published.services.engine.begin() as conn:
        conn.exec_driver_sql("update wfops.snapshots set digest = 'ab'")
    assert found(published) == (1, "the store names another digest than the event: swapped")


def test_a_snapshot_that_no_event_speaks_of_is_found(published):
    with published.services.engine.begin() as conn:
        conn.exec_driver_sql(
            "insert into wfops.snapshots "
            "select sync, 2, digest, rows, duplicates, state, staged_at from wfops.snapshots"
        )
    (problem,) = auditing.verify(published.services).problems
    assert problem.subject == "things #2"


def test_an_outsider_is_told_about_a_swapped_file_too(published, tmp_path):
    (file,) = published.folder.glob("*.parquet")
    file.unlink()
    code, said = outsider(bundle(published.services, tmp_path))
    assert code == 1
    assert "is missing" in said
