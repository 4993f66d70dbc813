"""What every destination that holds rows must do, as a model, and hypothesis' way to ask for it."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pyarrow as pa
from hypothesis import strategies as st

from wfops_pipelines.core.snapshot import DELETED, Diff
from wfops_pipelines.destinations import Keep, Parcel, Written

START = datetime(2026, 5, 1, 9, tzinfo=UTC)
KEYS = st.sampled_from("abcdef")
# a parcel: for each key the value, or None for a tombstone
PARCELS = st.lists(
    st.dictionaries(KEYS, st.one_of(st.none(), st.integers(0, 3)), min_size=1), max_size=6
)


def parcel(rows, seq, keep=None, environ=None, marked=None):
    """A parcel of {key: value or None}, with the column that marks tombstones where needed."""
    table = {"id": list(rows), "v": pa.array(list(rows.values()), pa.int64())}
    if marked or (marked is None and None in rows.values()):
        table[DELETED] = [v is None for v in rows.values()]
    at = START + timedelta(hours=seq)
    return Parcel("s", seq, "id", pa.table(table), environ or {}, keep, at)


@dataclass
class Model:
    """key -> (seq, value or None)."""

    held: dict = field(default_factory=dict)

    def living(self):
        return {k: v for k, (_, v) in self.held.items() if v is not None}

    def publish(self, rows, seq):
        inserted = updated = stale = deleted = 0
        for key, value in rows.items():
            before, old = self.held.get(key, (-1, None))
            if before >= seq:
                stale += 1
                continue
            inserted += value is not None and old is None
            updated += value is not None and old is not None
            deleted += value is None and old is not None
            self.held[key] = (seq, value)
        return Written(inserted, updated, stale, deleted)

    def diff(self, rows, seq):
        inserted = updated = deleted = living = 0
        changes = []
        for key, value in rows.items():
            before, old = self.held.get(key, (-1, None))
            living += value is not None
            if before >= seq:
                continue
            inserted += value is not None and old is None
            deleted += value is None and old is not None
            if value is not None and old is not None and value != old:
                updated += 1
                changes.append((key, "v", str(old), str(value)))
        return Diff(inserted, updated, living - inserted - updated, deleted, tuple(changes))


def lives_as_the_model_says(parcels, order, publish, diff, living, values):
    """Publish `parcels` in `order` (their numbers): each step does what the model does."""
    model = Model()
    for seq, rows in sorted(enumerate(parcels, 1), key=lambda p: order.index(p[0])):
        assert diff(parcel(rows, seq)) == model.diff(rows, seq)
        assert publish(parcel(rows, seq)) == model.publish(rows, seq)
        assert sorted(living()) == sorted(model.living())
        assert values() == model.living()


__all__ = ["KEYS", "PARCELS", "START", "Keep", "Model", "lives_as_the_model_says", "parcel"]
