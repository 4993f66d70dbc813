"""A sample of rows that does not depend on their order, gathered part by part."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from wfops_pipelines.anomaly._hashing import Hashes


@dataclass(frozen=True, slots=True)
class Sampled:
    """Plain arrays and hashes of some rows, column by column, and a hash a row."""

    arrays: list[Any]
    hashes: list[Hashes]
    rows: Hashes

    def smallest(self, most: int) -> Sampled:
        """The `most` rows with the smallest hashes, in their order; all of them where fewer."""
        if len(self.rows) <= most:
            return self
        chosen = np.argpartition(self.rows, most)[:most]
        chosen = chosen[np.argsort(self.rows[chosen], kind="stable")]
        at = pa.array(chosen)
        return Sampled(
            [array.take(at) for array in self.arrays],
            [hashes[chosen] for hashes in self.hashes],
            self.rows[chosen],
        )

    def joined(self, more: Sampled) -> Sampled:
        """These rows and then those."""
        both = zip(self.arrays, more.arrays, strict=True)
        hashes = zip(self.hashes, more.hashes, strict=True)
        return Sampled(
            [pa.concat_arrays(pair) for pair in both],
            [np.concatenate(pair) for pair in hashes],
            np.concatenate([self.rows, more.rows]),
        )
