"""What the scorer says of rows: a model of published ones, scores and their reasons."""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

from wfops_pipelines.errors import SnapshotDamaged

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

FloatArray: TypeAlias = "npt.NDArray[np.float64]"

ROWS_VERSION = 4  # of row models: the same version gives the same bits for the same rows


@dataclass(frozen=True, slots=True)
class RowReason:
    """Why one row is unusual: the column, its share of the evidence, and a sentence."""

    column: str
    contribution: float
    sentence: str


@dataclass(frozen=True, slots=True)
class Packed:
    """A numpy array as bytes: little-endian `dtype` text, `shape`, content."""

    dtype: str
    shape: tuple[int, ...]
    data: bytes


@dataclass(frozen=True, slots=True)
class RowModel:
    """What published rows of one sync look like; fitted by `fit_rows`, used by `score_rows`.

    Self-contained: scoring needs no scikit-learn, and the same model gives the same bits in
    every process. `meta` is JSON, `arrays` are the tables, curves and trees.
    """

    meta: Mapping[str, Any]
    arrays: Mapping[str, Packed]

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that a table must have to be scored."""
        return tuple(str(column["name"]) for column in self.meta["columns"])

    def to_json(self) -> str:
        """A line of JSON; `RowModel.from_json` gives an equal model back."""
        arrays = {
            n: [a.dtype, list(a.shape), b64encode(a.data).decode()] for n, a in self.arrays.items()
        }
        return json.dumps({"meta": dict(self.meta), "arrays": arrays}, separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str | bytes) -> RowModel:
        """The model that `to_json` wrote.

        Raises:
            SnapshotDamaged: the text is no row model, or one of another version.
        """
        try:
            body = json.loads(text)
            if body["meta"]["version"] != ROWS_VERSION:
                raise SnapshotDamaged(f"row model version {body['meta']['version']}: fit it again")
            arrays = {
                n: Packed(d, tuple(s), b64decode(b)) for n, (d, s, b) in body["arrays"].items()
            }
            return cls(body["meta"], arrays)
        except (KeyError, TypeError, ValueError) as error:
            raise SnapshotDamaged(f"not a row model ({error}): fit it again") from error


@dataclass(frozen=True, slots=True)
class RowScores:
    """Scores of a table's rows, in its order. Larger `score` is stranger.

    `p_value[i]` is the share of published rows expected to look at least as unusual as row `i`:
    holding the rows with `p_value <= budget` holds about that share of clean rows.
    """

    score: FloatArray
    p_value: FloatArray
    explain: Callable[[int, int], tuple[RowReason, ...]] = field(repr=False, compare=False)

    def reasons(self, i: int, top: int = 3) -> tuple[RowReason, ...]:
        """The columns that make row `i` unusual, strongest first; shares of its score."""
        return self.explain(i, top)


@dataclass(frozen=True, slots=True)
class OddRows:
    """The rows of a table whose p-value is within a limit.

    numbers: which rows, ascending. columns: of each, the column that makes it odd most of all;
    None where no single one does. score: as `RowScores` has it.
    """

    numbers: tuple[int, ...]
    columns: tuple[str | None, ...]
    score: FloatArray
    explain: Callable[[int, int], tuple[RowReason, ...]] = field(repr=False, compare=False)

    def reasons(self, i: int, top: int = 3) -> tuple[RowReason, ...]:
        """Why the `i`-th of these rows is odd, as `RowScores.reasons` says it."""
        return self.explain(i, top)
