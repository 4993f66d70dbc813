"""Marks of fixed size that tell which rows of an extraction stay: 33 bytes a row in memory."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pandas as pd

    Hashes = npt.NDArray[np.uint64]

# two hashes of 64 bits: that two of a thousand million keys share both is as likely as 1 in 10^21
_HASH_KEYS = ("wfops marks keys", "and marks again.")


@dataclass(frozen=True, slots=True)
class Chosen:
    """Which rows stay (an Arrow array of booleans; None: all), and the marks of those, in order.

    `repeats` is how many were dropped because the same version came twice. `rivals` are places of
    rows (the one that went, the one that stays) of one key and one cursor and of two versions.
    `overtaken` is how many went that were news, because a newer row has their key.
    """

    mask: Any
    version: Hashes
    cursor: npt.NDArray[np.datetime64]
    repeats: int
    rivals: npt.NDArray[np.int64]
    overtaken: int = 0


@dataclass(slots=True)
class Marks:
    """What is kept of each row: its key's hashes, its version, its cursor, whether it is news."""

    inside: list[npt.NDArray[np.bool_]] = field(default_factory=list)
    kept: dict[str, list[npt.NDArray[Any]]] = field(default_factory=dict)

    def add(self, rows: int, marks: pd.DataFrame) -> None:
        """The next part's marks: key (text or None), version, cursor, and whether a row is news.

        The index says where they stand among the part's `rows`.
        """
        import numpy as np

        mask = np.zeros(rows, np.bool_)
        mask[marks.index.to_numpy()] = True
        self.inside.append(mask)
        first, second = _hashed(marks["key"])
        cursor = marks["cursor"].dt.tz_localize(None).to_numpy("datetime64[us]")
        one = {"a": first, "b": second, "cursor": cursor}
        one |= {name: marks[name].to_numpy() for name in ("version", "news")}
        for name, values in one.items():
            self.kept.setdefault(name, []).append(values)

    def newest(self) -> Chosen:
        """One row for each key, the last of the newest, if it is news; and those without a key."""
        import numpy as np
        import pyarrow as pa

        marks = {name: np.concatenate(parts) for name, parts in self.kept.items()}
        self.kept.clear()
        stays, repeats, rivals, overtaken = _stays(marks)
        stays &= marks["news"]
        mask = np.concatenate(self.inside)
        places = np.flatnonzero(mask)
        mask[places[~stays]] = False
        chosen = None if mask.all() else pa.array(mask)
        rivals = places[rivals[stays[rivals[:, 1]]]]
        return Chosen(
            chosen, marks["version"][stays], marks["cursor"][stays], repeats, rivals, overtaken
        )


def _hashed(keys: pd.Series[Any]) -> tuple[Hashes, Hashes]:
    """Two hashes of each key; both are 0 where there is none."""
    import numpy as np
    from pandas.util import hash_array

    missing = keys.isna().to_numpy()
    values = keys.to_numpy(object)
    values = np.where(missing, "", values)
    first, second = (hash_array(values, hash_key=k, categorize=False) for k in _HASH_KEYS)
    first[missing] = second[missing] = 0
    return first, second


def _stays(
    marks: dict[str, npt.NDArray[Any]],
) -> tuple[npt.NDArray[np.bool_], int, npt.NDArray[np.int64], int]:
    """Which rows stay, how many repeats were dropped, rivals, and the overtaken (see `Chosen`).

    Only keys that occur again are sorted.
    """
    import numpy as np
    import pandas as pd

    ordered = np.sort(marks["a"])
    again = np.unique(ordered[1:][ordered[1:] == ordered[:-1]])
    stays = np.ones(len(ordered), np.bool_)
    if not len(again):
        return stays, 0, np.empty((0, 2), np.int64), 0
    at = np.flatnonzero(np.isin(marks["a"], again))
    few = pd.DataFrame({name: values[at] for name, values in marks.items()}, index=at)
    once = few.drop_duplicates(["a", "b", "version"])
    keyed = (once["a"] != 0) | (once["b"] != 0)
    named, loose = once[keyed], once[~keyed]
    in_time = named.sort_values("cursor", kind="stable", na_position="last")
    newest = in_time.drop_duplicates(["a", "b"], keep="last")
    stays[at] = False
    stays[newest.index.to_numpy()] = stays[loose.index.to_numpy()] = True
    overtaken = int(named["news"].sum()) - int(newest["news"].sum())
    return stays, len(few) - len(once), _rivals(in_time, newest), overtaken


def _rivals(named: pd.DataFrame, newest: pd.DataFrame) -> npt.NDArray[np.int64]:
    """Each row that is as new as the newest of its key, beside that one; in order."""
    import numpy as np

    tops = newest.assign(top=newest.index)[["a", "b", "cursor", "top"]]
    beside = named[["a", "b", "cursor"]].assign(place=named.index).merge(tops, on=["a", "b"])
    same = beside["cursor_x"] == beside["cursor_y"]
    same |= beside["cursor_x"].isna() & beside["cursor_y"].isna()
    found = beside[same & (beside["place"] != beside["top"])].sort_values("place")
    pairs: npt.NDArray[np.int64] = found[["place", "top"]].to_numpy(np.int64)
    return pairs
