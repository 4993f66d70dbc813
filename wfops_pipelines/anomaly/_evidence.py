"""How surprising each feature is, in decades of p-value, for the new snapshot and the old ones.

Every feature is predicted from the snapshots on one side (see `_sides`) by the predictor that
did best on the history. The squared error, in units of the noise that the number of rows
explains, gives a dispersion; dispersions are moderated towards their family's (as limma does:
Smyth, 2004), and the evidence is the -log10 of a Student t tail.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from wfops_pipelines.anomaly._features import Feature, told
from wfops_pipelines.anomaly._rare import limits
from wfops_pipelines.anomaly._sides import Bools, kinds_met, predictors, product
from wfops_pipelines.anomaly._window import slopes

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

PRIOR_DEGREES = 8.0
MOST_DEGREES = 40.0
CROWDING = 0.7
MOST_EVIDENCE = 30.0
_LOWEST_DISPERSION = 0.1
_SIDED = 0.7
_USUAL, _CALM_DEGREES = 1.0, 8.0  # decades of the largest of a quiet kind
_LOUD = 6.0  # development streams
_AMOUNTS = ("volume", "gaps")
_VOLUME, _RANKS = 1.8, 0.7  # development streams
_SWITCH = {
    "mean": 0.0, "last": 1.0, "fading": 1.0,
    "weekday": 1.5, "weekend": 1.5, "trend": 1.5, "rhythm": 1.5,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Evidence:
    """`decades[j, i]` of feature `j` at snapshot `i`, new one last; `predicted` on the x scale."""

    features: Sequence[Feature]
    decades: Floats
    predicted: Floats


def evidence(
    features: Sequence[Feature],
    allowed: Bools,
    weekdays: Sequence[int],
    weights: Mapping[str, float],
) -> Evidence:
    if not features:
        return Evidence(features, np.zeros((0, len(allowed))), np.zeros((0, len(allowed))))
    x = np.array([f.x for f in features])
    noise = _even(np.array([f.noise for f in features]))
    absent = ~np.isfinite(x)
    x = np.where(absent, _row_means(x)[:, None], x)
    absent |= ~told(features)
    stretches = _stretches(features, x, allowed)
    predicted, ratio, met = _predict(x, noise, allowed, weekdays, stretches)
    ratio, family = np.where(absent, 0.0, ratio), _numbered([(f.kind, f.unit) for f in features])
    sided = np.array([f.kind in _AMOUNTS for f in features])
    dispersion, degrees = _dispersion(ratio, ~absent, family, sided, met)
    t = np.abs(ratio) / np.sqrt(dispersion)
    one_sided = np.array([f.one_sided for f in features])
    t = np.where(one_sided[:, None] & (ratio < 0), 0.0, t)
    most = np.minimum(_most(features), limits(features, allowed))
    decades = np.where(absent, 0.0, np.minimum(_tail(t, degrees), most))
    decades = np.where(met | ~met[:, -1:], decades, 0.0)  # nobody could know them
    decades = np.maximum(_calm(decades) - _crowding(features)[:, None], 0.0)
    decades = _calm_columns(decades, features)
    decades = _calm_kinds(decades, _numbered([(f.kind,) for f in features]))
    decades *= np.array([_worth(f) for f in features])[:, None]
    decades *= np.array([weights.get(f.kind, 1.0) for f in features])[:, None]
    return Evidence(features, decades, predicted)


def _most(features: Sequence[Feature]) -> Floats:
    whole = np.full(len(features[0].x), np.inf)
    most = np.array([whole if f.most is None else f.most for f in features])
    return np.where(np.isnan(most), 0.0, most)


def _crowding(features: Sequence[Feature]) -> Floats:
    """What a sign pays for being one of many of its kind; the one row count pays nothing."""
    kinds = [f.kind for f in features]
    return CROWDING * np.log10([kinds.count(kind) for kind in kinds])


def _even(noise: Floats) -> Floats:
    """No snapshot is trusted to be less noisy than the usual one: days differ, too."""
    usual = np.nanmedian(noise[:, :-1], axis=1, keepdims=True)
    return np.where(np.isfinite(noise), np.maximum(noise, usual), usual)


def _row_means(x: Floats) -> Floats:
    there = np.isfinite(x[:, :-1])
    sums = np.where(there, x[:, :-1], 0.0).sum(1)
    return np.asarray(sums / np.maximum(there.sum(1), 1))


def _stretches(features: Sequence[Feature], x: Floats, allowed: Bools) -> list[_Stretch]:
    return [
        _Stretch(at, f.expected, *slopes(x[at], f.expected, allowed))
        for at, f in enumerate(features)
        if f.expected is not None
    ]


@dataclass(frozen=True, slots=True)
class _Stretch:
    """Of feature `at`: what should be, and how much of it the feature may follow."""

    at: int
    expected: Floats
    low: Floats
    high: Floats

    def room(self, weights: Floats) -> tuple[Floats, Floats]:
        """How far below and above a prediction by these weights each snapshot may well be."""
        more = np.diagonal(self.expected) - (weights * self.expected).sum(1)
        ends = self.low * more, self.high * more
        return np.minimum(*ends), np.maximum(*ends)


def _predict(
    x: Floats,
    noise: Floats,
    allowed: Bools,
    days: Sequence[int],
    stretches: Sequence[_Stretch],
) -> tuple[Floats, Floats, Bools]:
    """Prediction and standardised error of each feature by its best predictor.

    The best for an old snapshot is chosen without its own error, as it is for the new one. Third:
    where the new snapshot's predictor had a day of the same kind to go by, or needs none.
    """
    best = np.full(x.shape, np.inf)
    predicted, ratio = np.zeros_like(x), np.zeros_like(x)
    met = np.ones(x.shape, np.bool_)
    known = kinds_met(allowed, days)
    for name, weights in predictors(allowed, days).items():
        guess = product(x, weights)
        for one in stretches:
            guess[one.at] += np.clip(x[one.at] - guess[one.at], *one.room(weights))
        error = (x - guess) / np.sqrt(noise + product(noise, weights**2))
        own = 0.5 * np.log(error**2 + 0.5)
        own[:, -1] = 0.0
        loss = own.sum(1, keepdims=True) - own + _SWITCH[name]
        better = loss < best
        best = np.where(better, loss, best)
        predicted, ratio = np.where(better, guess, predicted), np.where(better, error, ratio)
        met = np.where(better[:, -1:], known.get(name, True), met)
    return predicted, ratio, met


def _numbered(names: Sequence[tuple[str, ...]]) -> Ints:
    """Each name's place among the different ones."""
    order = sorted(set(names))
    return np.array([order.index(name) for name in names])


def _dispersion(
    ratio: Floats, there: Bools, family: Ints, sided: Bools, met: Bools
) -> tuple[Floats, Floats]:
    """Moderated dispersion without the snapshot itself, and its degrees of freedom.

    Where only one side swings (volume bursts), a `sided` feature is measured mostly by errors of
    the same sign: bursts must not make a loss of rows look usual. Where a rhythm is weekly, days of
    a kind that had been `met` before are measured by each other, and so are the rest.
    """
    known = _spread(ratio, there & met, family, sided)
    rest = _spread(ratio, there & ~met, family, sided)
    return np.where(met, known[0], rest[0]), np.where(met, known[1], rest[1])


def _spread(ratio: Floats, there: Bools, family: Ints, sided: Bools) -> tuple[Floats, Floats]:
    counted = there[:, :-1]
    squares = np.where(counted, ratio[:, :-1] ** 2, 0.0)
    sums, count = squares.sum(1), counted.sum(1)
    typical = sums / np.maximum(count, 1)
    prior = np.ones(len(squares))
    for one in np.unique(family):
        some = typical[(family == one) & (count > 0)]
        if len(some):
            prior[family == one] = np.clip(np.median(some), _LOWEST_DISPERSION, 3.0)
    none = np.zeros((len(squares), 1))
    own = np.concatenate([squares, none], axis=1)
    left = count[:, None] - np.concatenate([counted, none > 0], axis=1)
    rest = sums[:, None] - own
    same = np.where(ratio > 0, _half(squares, ratio, 1.0), _half(squares, ratio, -1.0)) - own
    rest = np.where(sided[:, None], _SIDED * 2.0 * same + (1 - _SIDED) * rest, rest)
    pooled = PRIOR_DEGREES * prior[:, None] + np.maximum(rest, 0.0)
    return pooled / (PRIOR_DEGREES + left), np.minimum(PRIOR_DEGREES / 4 + left, MOST_DEGREES)


def _half(squares: Floats, ratio: Floats, sign: float) -> Floats:
    return np.asarray((squares * (ratio[:, :-1] * sign > 0)).sum(1, keepdims=True))


def _tail(t: Floats, degrees: Floats) -> Floats:
    from scipy.special import stdtr

    return np.asarray(
        np.minimum(-np.log10(np.maximum(2 * stdtr(degrees, -t), 1e-300)), MOST_EVIDENCE)
    )


def _calm(decades: Floats) -> Floats:
    """Scale down what cries wolf on its own history: more decades than its length can give."""
    count = decades.shape[1] - 1
    bound = 1.0 + 1.5 * np.log10(count + 1)
    ordered = np.sort(decades[:, :-1], axis=1)
    largest = np.broadcast_to(ordered[:, -1:], decades.shape).copy()
    if count > 1:
        is_top = decades[:, :-1] >= ordered[:, -1:]
        largest[:, :-1] = np.where(is_top, ordered[:, -2:-1], ordered[:, -1:])
    return np.asarray(decades / np.maximum(largest / bound, 1.0))


def _calm_columns(decades: Floats, features: Sequence[Feature]) -> Floats:
    """Scale down each kind of a column's signs: nor may a column be drowned by one whose values
    come and go.

    Times are left out. Few columns have any, so that they would pay for an irregular schedule
    twice, as a column and as a kind, and a shift of them to another zone would be overheard.
    """
    apart = np.array([f.kind != "times" for f in features], np.bool_)
    names = [(f.column or "", f.kind) for f in features if f.kind != "times"]
    out = decades.copy()
    out[apart] = _calm_kinds(decades[apart], _numbered(names))
    return out


def _calm_kinds(decades: Floats, kinds: Ints) -> Floats:
    """Scale down kinds of which some statistic is usually loud: their largest, in the root mean
    square of the other snapshots.

    A quiet kind must not be drowned by one of which something is always odd. One loud day does not
    make a loud kind, however loud it was: it counts as `_LOUD` decades.
    """
    out = decades.copy()
    for one in np.unique(kinds):
        of = kinds == one
        squares = np.minimum(decades[of, :-1].max(0), _LOUD) ** 2
        rest = squares.sum() - np.append(squares, 0.0)
        left = np.append(np.full(len(squares), len(squares) - 1.0), len(squares))
        usual = np.sqrt((_CALM_DEGREES * _USUAL**2 + rest) / (_CALM_DEGREES + left))
        out[of] /= np.maximum(usual / _USUAL, 1.0)
    return out


def _worth(feature: Feature) -> float:
    """What experience on other syncs says of a statistic: volume is seldom odd by itself."""
    return _VOLUME if feature.kind in _AMOUNTS else _RANKS if feature.unit == "correlation" else 1.0
