"""What else one could do: four scorers on the same profiles, larger is stranger."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from wfops_pipelines.anomaly import Profile

Floats = npt.NDArray[np.float64]


def raw(profiles: Sequence[Profile]) -> Floats:
    """The usual profile features, absolute: counts, shares, quantiles, lengths."""
    rows = [_raw_one(p) for p in profiles]
    names = sorted(set().union(*rows))
    return np.nan_to_num(np.array([[r.get(n, 0.0) for n in names] for r in rows]))


def _raw_one(profile: Profile) -> dict[str, float]:
    out = {"rows": float(profile.rows), "repeated": profile.duplicates / max(profile.rows, 1)}
    for column in profile.columns:
        present = max(column.counts["present"], 1)
        out[f"{column.name} nulls"] = column.nulls / max(column.rows, 1)
        for name, count in column.counts.items():
            out[f"{column.name} {name}"] = count / present
        for label, packed in (("", column.points), ("length", column.lengths)):
            values = np.frombuffer(packed, np.float64)
            if len(values):
                stats = (values.mean(), values.std(), *np.quantile(values, [0, 0.25, 0.5, 0.75, 1]))
                out.update({f"{column.name} {label} {i}": float(v) for i, v in enumerate(stats)})
    return out


def isolation_forest(past: Floats, new: Floats) -> float:
    from sklearn.ensemble import IsolationForest

    forest = IsolationForest(n_estimators=50, random_state=0).fit(past)
    return float(-forest.score_samples(new[None, :])[0])


def average_knn(past: Floats, new: Floats) -> float:
    """Mean distance to the five nearest, min-max scaled (Redyuk et al., EDBT 2021)."""
    low, width = past.min(0), np.ptp(past, axis=0)
    width = np.where(width > 0, width, 1.0)
    gaps = np.sqrt((((past - low) / width - (new - low) / width) ** 2).sum(1))
    return float(np.sort(gaps)[:5].mean())


def three_sigma(past: Floats, new: Floats) -> float:
    """The largest distance from a mean, in standard deviations."""
    spread = past.std(0, ddof=1)
    spread = np.where(spread > 0, spread, np.maximum(np.abs(past.mean(0)) * 1e-3, 1e-6))
    return float((np.abs(new - past.mean(0)) / spread).max())


def ecod(past: Floats, new: Floats) -> float:
    """Sum of -log empirical tails (Li et al., 2022), one new snapshot at a time."""
    both = np.concatenate([past, new[None, :]])
    left = (both <= new).mean(0)
    right = (both >= new).mean(0)
    skew = ((both - both.mean(0)) ** 3).sum(0)
    tails = np.stack(
        [-np.log(left), -np.log(right), np.where(skew < 0, -np.log(left), -np.log(right))]
    )
    return float(tails.sum(1).max())


BASELINES: dict[str, Callable[[Floats, Floats], float]] = {
    "plain isolation forest": isolation_forest,
    "average kNN": average_knn,
    "3-sigma": three_sigma,
    "ECOD": ecod,
}
