"""What a life came to: the source's record and people's acts against what the product did.

Nothing here asks the product what it thinks: snapshot files, decisions and what the destination was
handed are read as they are, and `wfops reconcile` is judged last, against all of that.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import pyarrow.parquet as pq
import sqlalchemy as sa

from bench.reconcile_life import LIMIT, OVERLAP, Life
from bench.reconcile_source import Version
from bench.reconcile_world import ident
from wfops_pipelines.core.snapshot import DELETED
from wfops_pipelines.reconciling import fates, proving, stories

KINDS = ("lost", "doubled", "stale", "leaked", "miscounted", "out of turn", "broken")


@dataclass(frozen=True)
class Fault:
    kind: str
    words: str


@dataclass
class Record:
    """What is in the database and the files at the end of a life.

    rows: of each snapshot, by key. doubted: snapshot and key of rows of which only a person can
    tell whether they are newer. asked: the holds of each snapshot, oldest first. handed: what the
    destination was handed or told to take back, in order. cleared: when what the verdict had let go
    of a snapshot was published.
    """

    snapshots: dict[int, Any]
    rows: dict[int, dict[str, Any]]
    asked: dict[int, list[Any]]
    final: dict[str, Any]
    flagged: dict[int, set[str]]
    doubted: set[tuple[int, str]]
    judged: set[int]
    handed: list[Any]
    holds: dict[str, Any]
    cleared: dict[int, datetime]
    fate: dict[tuple[int, str], str] = field(default_factory=dict)


def judge(life: Life) -> list[Fault]:
    record = read(life)
    record.fate = dict(_fates(record))
    again = [*_asked_again(record), *_put_away_before_its_turn(life, record)]
    return [
        *again, *_came_back(life, record), *_staged(life, record),
        *_truth(life, record), *_decisions(life, record), *_handed(life, record),
        *_destination(life, record), *_turns(life, record), *_reconciled(life, record),
    ]  # fmt: skip


def read(life: Life) -> Record:
    folder = life.services.folder("things")
    with life.services.engine.connect() as conn:

        def all_(sql: str) -> list[Any]:
            return list(conn.execute(sa.text(sql)))

        found = {s.seq: s for s in all_("select * from wfops.snapshots order by seq")}
        rows = {
            n: {r["id"]: r for r in pq.read_table(folder / f"{s.digest}.parquet").to_pylist()}
            for n, s in found.items()
        }
        asked: dict[int, list[Any]] = defaultdict(list)
        for r in all_(
            "select * from wfops.reviews where kind in ('whole', 'rows') "
            "order by (state = 'pending'), opened_at, id"
        ):
            asked[r.seq].append(r)
        final = {r.review: r for r in all_("select * from wfops.decisions where final")}
        evidence = all_("select seq, body from wfops.evidence")
        handed = all_("select * from sim.handed order by n")
        out = all_("select seq, published_at from wfops.publications where part = 'clean'")
        there = conn.execute(sa.text("select to_regclass('sim.things')")).scalar()
        holds = {r.id: r for r in all_("select * from sim.things")} if there else {}
    flagged = {
        e.seq: {
            k for f in json.loads(e.body)["findings"] if f["severity"] == "critical"
            for k in f["keys"]
        }
        for e in evidence
    }  # fmt: skip
    doubted = {(n, key) for n, s in found.items() for key, _ in s.doubted or ()}
    judged = {e.seq for e in evidence}
    return Record(
        found, rows, asked, final, flagged, doubted, judged, handed, holds, dict(map(tuple, out))
    )


def _rank(record: Record, seq: int) -> int:
    s = record.snapshots[seq]
    return int(s.seq if s.origin is None else s.origin)


def _fates(record: Record) -> Iterator[tuple[tuple[int, str], str]]:
    """What ought to become of each row: go, stay (refused), held, waiting or superseded."""
    for seq, rows in record.rows.items():
        review = (record.asked.get(seq) or [None])[-1]
        held = set() if review is None else set(review.keys) if review.kind == "rows" else set(rows)
        for key in rows:
            if seq not in record.judged:
                yield (seq, key), "waiting"
            elif key in held:
                yield (seq, key), _answered(record, seq, key, review)
            else:
                yield (seq, key), "go"


def _asked_again(record: Record) -> Iterator[Fault]:
    """Rows that an approval left are in the snapshot that asks again about them, and only there."""
    for n, snapshot in record.snapshots.items():
        for key, row in record.rows[n].items() if snapshot.reopened_by else ():
            left = [
                m for m in record.rows
                if m < n and _rank(record, m) == _rank(record, n)
                and record.fate.get((m, key)) == "stay"
            ]  # fmt: skip
            if not left or record.rows[left[-1]][key] != row:
                yield Fault("doubled", f"{key} of #{n} was not left in quarantine as it is")
            else:
                record.fate[left[-1], key] = "superseded"


def _put_away_before_its_turn(life: Life, record: Record) -> Iterator[Fault]:
    """Where everything is read each time, what waited does not go as people settled it since."""
    out = {(h.seq, h.key) for h in record.handed if h.act == "publish"}
    for (n, key), fate in record.fate.items():
        if life.incremental or record.snapshots[n].origin is not None or fate != "go":
            continue
        if (n, key) not in out and _settled_since(record, n, key):
            life.did["put away before its turn"] += 1
            record.fate[n, key] = "stay"
        elif (n, key) not in out and _taken_back_since(record, n, key):
            life.did["no longer as it went"] += 1
            record.fate[n, key] = "stay"
        went = (n, key) in out and not _was_asked(record, n, key)
        if went and _settled_since(record, n, key, before=record.cleared[n]):
            yield Fault("leaked", f"{key} of #{n} went as people had settled it otherwise")


def _taken_back_since(record: Record, n: int, key: str) -> bool:
    """Whether nobody was asked about a large row, for what went out and was taken back."""
    row = record.rows[n][key]
    asked = key in record.flagged[n] or row.get(DELETED) or row["amount"] <= LIMIT
    taken = {h.seq for h in record.handed if (h.key, h.act) == (key, "revert")}
    before = [m for m in taken if _rank(record, m) < n]
    return not asked and any(_content(m, record.rows[m][key]) == _content(n, row) for m in before)


def _was_asked(record: Record, n: int, key: str) -> bool:
    return any(r.kind == "whole" or key in r.keys for r in record.asked.get(n, ()))


def _settled_since(record: Record, n: int, key: str, before: datetime | None = None) -> bool:
    """Whether people settled this very row of an older extraction once this one had begun.

    And before a time, of what has one: a row that was taken back was there before.
    """
    begun, row = record.snapshots[n].asked_upto, record.rows[n][key]
    taken = {(h.seq, h.key) for h in record.handed if h.act == "revert"}
    for m in (m for m in record.rows if key in record.rows[m] and _rank(record, m) < n):
        told = record.rows[_rank(record, m)].get(key)
        asked = record.asked.get(m, [])
        stays = record.fate[m, key] == "stay" and asked  # else it was put away like this itself
        stays = stays and not (before and _stood(record, m, key))
        away = asked[-1].decided_at if stays else None
        edited = any(k == key for k, *_ in record.snapshots[m].edits or ())
        times = [away, record.snapshots[m].staged_at if edited else None]
        settled = any(t and begun <= t and (before is None or t < before) for t in times)
        other = before is None and (
            (m, key) in taken
            or any(r.reopens for r in asked)
            or _goes_by_decision(record, m, key, begun)
        )
        if _values(told) == _values(row) and (settled or other):
            return True
    return False


def _goes_by_decision(record: Record, seq: int, key: str, begun: datetime) -> bool:
    """Whether somebody let this row go since then, so that it is published as of this snapshot."""
    if not _was_asked(record, seq, key) or record.asked[seq][-1].state != "approved":
        return False
    went = any((h.seq, h.key, h.act) == (seq, key, "publish") for h in record.handed)
    return went and bool(record.asked[seq][-1].decided_at >= begun)


def _values(row: Mapping[str, Any] | None) -> dict[str, Any]:
    """What a row holds: a column of nulls may be in one of two snapshots alone."""
    return {column: value for column, value in (row or {}).items() if value is not None}


def _answered(record: Record, seq: int, key: str, review: Any) -> str:
    over = _over(record, seq, key)
    decision = record.final.get(review.id)
    match review.state:
        case "pending":
            return "held"
        case "superseded":
            return "superseded"
        case "expired" | "rejected":
            return "stay"
        case "approved" if decision.verb == "approve_clean":
            return "stay" if over or key in record.flagged[seq] else "go"
        case "approved":
            return "stay" if key in (decision.exclude or ()) else "go"
    raise AssertionError(review.state)


def _over(record: Record, seq: int, key: str) -> bool:
    """Whether the policy's own rule asks for a person. A deletion has no amount.

    Of what went out just so nothing would come.
    """
    row = record.rows[seq][key]
    over = not row.get(DELETED) and row["amount"] > LIMIT
    return over and not _as_it_went(record, seq, key)


def _staged(life: Life, record: Record) -> Iterator[Fault]:
    """Every version that an extraction returned is staged, or a newer one of its key is."""
    newest: dict[str, int] = defaultdict(int)
    order: dict[int, int] = {}
    for had in life.source.versions.values():
        order |= {v.n: v.order for v in had}
    last: dict[str, int] = {}
    staged: set[int] = set()
    for seq, rows in record.rows.items():
        if record.snapshots[seq].origin is None:
            for key, row in rows.items():
                newest[key] = max(newest[key], order.get(ident(seq, row), 0))
                staged.add(ident(seq, row))
                if life.incremental and last.get(key) == ident(seq, row):
                    yield Fault("doubled", f"{key} of #{seq} is what was staged of it before")
                last[key] = ident(seq, row)
    runs = {s.run_id for s in record.snapshots.values()}
    for attempt, told in life.source.returned.items():
        if attempt not in life.finished | runs:
            continue  # it was as good as never asked
        for v in told:
            if newest[v.key] < v.order:
                yield Fault("lost", f"{v.key}@{v.order} was returned to {attempt} and not staged")


def _came_back(life: Life, record: Record) -> Iterator[Fault]:
    """Where everything is read each time, what a person refused comes again when it has changed."""
    told: dict[str, list[tuple[int, int]]] = defaultdict(list)
    for n, rows in record.rows.items() if not life.incremental else ():
        if record.snapshots[n].origin is not None:
            continue
        for key, row in rows.items():
            version = -1 if row.get(DELETED) else ident(n, row)
            before = told[key][-1] if told[key] else (0, 0)
            told[key].append((n, version))
            came = before[1] == version and _refused_by(record, before[0], key, n)
            if came and not _stood(record, before[0], key):
                yield Fault("leaked", f"{key} of #{n} came as it was put away in #{before[0]}")


def _stood(record: Record, seq: int, key: str) -> bool:
    """Whether a row that was rejected with all the others had gone out before just so.

    Nothing comes of it where it comes again. Not where a finding names it.
    """
    review = record.asked[seq][-1]
    if review.kind != "whole" or review.state == "approved" or key in record.flagged[seq]:
        return False
    return _as_it_went(record, seq, key)


def _as_it_went(record: Record, seq: int, key: str) -> bool:
    """Whether it is as it went out last before, but for what was taken back by then."""
    then = [h for h in record.handed if h.key == key]
    own = next((i for i, h in enumerate(then) if (h.seq, h.act) == (seq, "publish")), None)
    taken = {h.seq for h in then[:own] if h.act == "revert"}
    out = {h.seq for h in then[:own] if h.act == "publish"} - taken
    went = [m for m in out if _rank(record, m) < seq]
    last = max(went, key=lambda m: (_rank(record, m), m), default=None)
    same = last is not None and _content(last, record.rows[last][key])
    return same == _content(seq, record.rows[seq][key])


def _refused_by(record: Record, seq: int, key: str, n: int) -> bool:
    """Whether a person had put this row away before the snapshot `n` was begun."""
    if record.fate.get((seq, key)) != "stay" or not _was_asked(record, seq, key):
        return False  # or it was put away for what was decided about another snapshot
    if _answered(record, seq, key, record.asked[seq][-1]) == "go":
        return False  # somebody let it go, and it waits for its turn
    decided = record.asked[seq][-1].decided_at
    return bool(decided < (record.snapshots[n].asked_upto or record.snapshots[n].staged_at))


def _truth(life: Life, record: Record) -> Iterator[Fault]:
    """What the source says now is staged, unless no cursor could have met it."""
    staged = {r.get("n") for rows in record.rows.values() for r in rows.values()}
    last = {
        key: row.get("n") for n, rows in record.rows.items() for key, row in rows.items()
        if record.snapshots[n].origin is None
    }  # fmt: skip
    contradicted = {key for _, key in record.doubted}
    for key in life.source.versions:
        version = life.source.told(key)
        if version is None and life.sync.missing == "delete":
            yield from _vanished(life, record, key)
        if version is None or version.n in staged:
            if version is not None and key not in contradicted and last[key] != version.n:
                if _ahead(life, key, last[key], version):
                    life.did["a date ahead told late"] += 1
                    continue
                yield Fault("stale", f"{key}@{version.order} was staged, and another one after it")
            continue
        if why := _excused(life, record, version, staged):
            life.did[why] += 1
        else:
            yield Fault("lost", f"{key}@{version.order} of the source was never staged")


def _ahead(life: Life, key: str, n: Any, version: Version) -> bool:
    """Whether the source dated `n` ahead, later than `version`, and told of it after that.

    By all that anybody was told it is the newer one, and who tells `version` again lags.
    """
    other = next((v for v in life.source.versions[key] if v.n == n), None)
    if other is None or not life.source.dated_ahead(other):
        return False
    return other.cursor > version.cursor


def _vanished(life: Life, record: Record, key: str) -> Iterator[Fault]:
    """A row that is not there any more is deleted, or its deletion waits or was refused."""
    there = record.holds.get(key)
    if there is None or getattr(there, "_deleted_at", None) is not None:
        return
    last = max((n for n, s in record.snapshots.items() if s.origin is None), default=0)
    if _stays_by_decision(record, key):
        life.did["a deletion put away"] += 1
    elif (last, key) not in record.fate:
        yield Fault("lost", f"{key} is gone at the source, and nobody knows")
    elif record.fate[last, key] == "go" and _rank(record, last) <= _blocked(life, record):
        yield Fault("lost", f"{key} is gone at the source, and lives at the destination")


def _stays_by_decision(record: Record, key: str) -> bool:
    """Whether a person put away that a row is gone, or is asked, and nothing was told of it since.

    That may be in an edit, or where it is asked about again.
    """
    taken = {(h.seq, h.key) for h in record.handed if h.act == "revert"}
    for n in [n for n in reversed(record.rows) if key in record.rows[n]]:
        gone = record.rows[n][key].get(DELETED)
        if gone and (record.fate[n, key] in ("stay", "held") or (n, key) in taken):
            return True
        if not gone and record.snapshots[n].origin is None:
            return False
    return False


def _excused(life: Life, record: Record, version: Version, staged: set[int]) -> str | None:
    """Why no cursor could have met this version; None where one must."""
    if not life.incremental:
        return None
    if version.late > OVERLAP - life.source.moods.tick:
        return "beyond the overlap"
    if _went_back(life, version, staged):
        return "back in its own time"
    if _outrun(life, record, version):
        return "outrun by a row dated ahead"
    return "skipped by its paging" if life.source.moods.offset else None


def _went_back(life: Life, version: Version, staged: set[int]) -> bool:
    """Whether its cursor is before one that was staged, of a time that had come by then.

    The source itself says that such a row is an older one, as a lagging replica does.
    """
    skew = life.source.moods.skew
    return any(
        old.order < version.order and old.n in staged
        and version.cursor < old.cursor and version.visible > old.cursor - skew
        for old in life.source.versions[version.key]
    )  # fmt: skip


def _outrun(life: Life, record: Record, version: Version) -> bool:
    """Whether a row that the source dated ahead took the cursor past it, before it was visible.

    Of a source whose clock is behind, a date ahead of that clock can be a plausible one to ours.
    """
    by_n = {v.n: v for had in life.source.versions.values() for v in had}
    return any(
        (ahead := by_n.get(row.get("n"))) is not None
        and life.source.dated_ahead(ahead)
        and version.cursor + OVERLAP < ahead.cursor <= record.snapshots[seq].staged_at
        and _answered_at(life, record, seq) < version.visible
        for seq, rows in record.rows.items()
        for row in rows.values()
    )


def _answered_at(life: Life, record: Record, seq: int) -> datetime:
    """The time as of which the replica answered that a snapshot was read from."""
    snapshot = record.snapshots[seq]
    moment: datetime = snapshot.staged_at - life.source.lags.get(snapshot.run_id, timedelta(0))
    return moment


def _decisions(life: Life, record: Record) -> Iterator[Fault]:
    for review, decision in record.final.items():
        if decision.id not in life.decided and review not in life.unsure:
            yield Fault("leaked", f"nobody took the decision {decision.id}")
    for (seq, key), fate in record.fate.items():
        for_a_person = _over(record, seq, key) or (seq, key) in record.doubted
        shown = any(r.kind == "whole" or key in r.keys for r in record.asked.get(seq, ()))
        if fate == "go" and for_a_person and not shown:
            yield Fault("leaked", f"{key} of #{seq} was never held")
        if fate == "waiting":
            yield Fault("lost", f"{key} of #{seq} was never examined")


def _handed(life: Life, record: Record) -> Iterator[Fault]:
    """What ought to go was handed over once, as it was staged; nothing else was."""
    times: Counter[tuple[int, str]] = Counter()
    for h in record.handed:
        if h.act != "publish":
            continue
        times[h.seq, h.key] += 1
        staged = record.rows.get(h.seq, {}).get(h.key)
        if staged is None or _content(h.seq, staged) != (h.version, h.amount, h.gone):
            yield Fault("leaked", f"{h.key} of #{h.seq} was handed over and is not what was staged")
    waits = _blocked(life, record)
    for (seq, key), fate in record.fate.items():
        done = times[seq, key]
        if done > 1:
            yield Fault("doubled", f"{key} of #{seq} was handed over {done} times")
        if done and fate != "go":
            yield Fault("leaked", f"{key} of #{seq} is {fate} and was handed over")
        if not done and fate == "go" and _rank(record, seq) <= waits:
            yield Fault("lost", f"{key} of #{seq} was let go and never handed over")


def _content(seq: int, row: dict[str, Any]) -> tuple[int, int | None, bool]:
    return ident(seq, row), row.get("amount"), bool(row.get(DELETED))


def _blocked(life: Life, record: Record) -> float:
    """In a queue, nothing that ranks above this goes yet."""
    if life.sync.policy.while_held == "pass":
        return float("inf")
    pending = [
        _rank(record, n) for n, asked in record.asked.items() if asked[-1].state == "pending"
    ]
    return min(pending, default=float("inf"))


@dataclass
class Replay:
    """What the destination must hold after all that it was handed and told to take back.

    Rows are (rank, version, whether it is a tombstone). before: what a publication replaced, by
    snapshot and key.
    """

    holds: dict[str, tuple[int, int, bool]] = field(default_factory=dict)
    before: dict[tuple[int, str], tuple[int, int, bool]] = field(default_factory=dict)
    stale: list[Any] = field(default_factory=list)
    back: list[tuple[Any, int]] = field(default_factory=list)  # what was handed, over which version

    def publish(self, h: Any) -> None:
        held = self.holds.get(h.key)
        if held is not None and held[0] >= h.rank:
            self.stale.append(h)
            return
        if held is not None:
            self.before[h.seq, h.key] = held
            self.back.append((h, held[1]))
        self.holds[h.key] = (h.rank, h.version, h.gone)

    def revert(self, h: Any) -> None:
        mine = self.before.pop((h.seq, h.key), None)
        held = self.holds.get(h.key)
        if held is not None and held[0] == h.rank:
            self._set(self.holds, h.key, mine)
        for place, was in list(self.before.items()):
            if place[1] == h.key and was[0] == h.rank:
                self._set(self.before, place, mine)

    @staticmethod
    def _set(
        of: dict[Any, tuple[int, int, bool]], place: Any, value: tuple[int, int, bool] | None
    ) -> None:
        if value is None:
            del of[place]
        else:
            of[place] = value


def _replay(record: Record) -> Replay:
    replay = Replay()
    for h in record.handed:
        (replay.publish if h.act == "publish" else replay.revert)(h)
    return replay


def _destination(life: Life, record: Record) -> Iterator[Fault]:
    """It holds what it was handed last, and never went from a newer row to an older one."""
    known = {v.n: v for had in life.source.versions.values() for v in had}
    replay = _replay(record)
    for key in sorted(replay.holds.keys() | record.holds.keys()):
        there, ought = record.holds.get(key), replay.holds.get(key)
        have = None if there is None else _held(there)
        if have == ought or (have and ought and have[2] and ought[2] and have[0] == ought[0]):
            continue  # a tombstone keeps the values that the row had
        kind = "leaked" if ought is None else "lost" if have is None else "stale"
        yield Fault(kind, f"the destination holds {have} of {key}, not {ought}")
    if life.incremental:
        again = Counter(v.n for had in life.source.versions.values() for v in had)
        for h, old in replay.back:
            if (_rank(record, h.seq), h.key) in record.doubted:
                continue  # a person let it go
            if _untold(life, record, known[h.version], known[old], h):
                continue
            if known[h.version].order < known[old].order and again[old] == again[h.version] == 1:
                yield Fault("stale", f"{h.key} went from version {old} back to {h.version}")
    life.did["stale releases"] += len(replay.stale)


def _untold(life: Life, record: Record, new: Version, old: Version, handed: Any) -> bool:
    """Whether nobody could tell that `new` is the older one.

    Its clock is too coarse, or it is misdated by so little that a clock may be as wrong.
    """
    misdated = new.cursor > new.written + life.source.moods.skew
    latest = record.snapshots[handed.seq].staged_at + OVERLAP
    later = new.cursor > old.cursor or old.cursor > latest  # such a date says nothing
    return new.cursor == old.cursor or (misdated and later and new.cursor <= latest)


def _held(row: Any) -> tuple[int, int | None, bool]:
    return row._snapshot_seq, row.n, getattr(row, "_deleted_at", None) is not None


def _turns(life: Life, record: Record) -> Iterator[Fault]:
    """In a queue, nothing overtakes."""
    if life.sync.policy.while_held == "pass":
        return
    last = 0
    for h in record.handed:
        if h.rank < last:
            yield Fault("out of turn", f"#{h.seq} was handed over after #{last}")
        last = max(last, h.rank)


def _reconciled(life: Life, record: Record) -> Iterator[Fault]:
    """`wfops reconcile` says of every row what is true, and finds nothing that does not fit."""
    proof = proving.prove(life.sync, life.services)
    yield from (Fault("miscounted", f"{m.key} #{m.seq}: {m.words}") for m in proof.misfits)
    taken = {(h.seq, h.key) for h in record.handed if h.act == "revert"}
    out = {(h.seq, h.key) for h in record.handed if h.act == "publish"}
    waits = _blocked(life, record)
    truth = {
        place: _true_fate(place, fate, out, taken, waits=_rank(record, place[0]) > waits)
        for place, fate in record.fate.items()
    }
    counted = Counter(truth.values())
    account = proof.account
    whole = sum(len(r) for n, r in record.rows.items() if record.snapshots[n].origin is None)
    newer = {  # an edit stands for the rows of its origin, and is no row of its own
        n for n, asked in record.asked.items()
        if asked[-1].state == "superseded" and asked[-1].id not in record.final
    }  # fmt: skip
    replaced = sum(n in newer and one is fates.Fate.SUPERSEDED for (n, _), one in truth.items())
    stale = [h for h in _replay(record).stale if (h.seq, h.key) not in taken]
    expected = {
        "staged": whole,
        "published": counted[fates.Fate.PUBLISHED],
        "stale": len(stale),
        "quarantined": counted[fates.Fate.QUARANTINED],
        "superseded": replaced,
        "held": counted[fates.Fate.HELD],
        "waiting": counted[fates.Fate.WAITING],
        "missing": 0,
    }
    for name, number in expected.items():
        if getattr(account, name) != number:
            yield Fault("miscounted", f"{name}: {getattr(account, name)}, truly {number}")
    for key in sorted({k for _, k in truth})[:2]:
        for version in stories.versions_of(life.sync, key, life.services):
            if version.told.fate is not truth[version.seq, key]:
                said = f"{key} of #{version.seq} is {version.told.fate.value}"
                yield Fault("miscounted", f"{said}, truly {truth[version.seq, key].value}")


def _true_fate(
    place: tuple[int, str],
    fate: str,
    out: set[tuple[int, str]],
    taken: set[tuple[int, str]],
    *,
    waits: bool,
) -> fates.Fate:
    if place in taken:
        return fates.Fate.QUARANTINED
    match fate:
        case "go":
            return fates.Fate.PUBLISHED if place in out else fates.Fate.WAITING
        case "stay":
            return fates.Fate.WAITING if waits else fates.Fate.QUARANTINED
    return fates.Fate(fate)
