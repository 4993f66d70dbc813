"""What a person can answer to a review request: what each answer does, and its command."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from wfops_pipelines.core.findings import counted_rows
from wfops_pipelines.core.reviews import APPROVING, HOLDS, Review, ReviewKind, Verb

_DOES = {
    (ReviewKind.WHOLE, Verb.APPROVE): "publishes all of it as it is",
    (ReviewKind.WHOLE, Verb.APPROVE_CLEAN): (
        "publishes the rows that no finding names; the others stay in quarantine"
    ),
    (ReviewKind.FAILURE, Verb.RETRY): (
        "tries again what failed, by a whole run of the sync here and now: it reads what is new, "
        "examines it, and publishes what may go"
    ),
    (ReviewKind.FAILURE, Verb.LEAVE_OUT): (
        "goes on without the rows that were refused (--exclude KEY names some of them); they stay "
        "in quarantine, and a newer version of such a row is sent as usual"
    ),
    (ReviewKind.FAILURE, Verb.REJECT): "closes the request and changes nothing",
    (ReviewKind.REVERT, Verb.APPROVE): "takes it back",
    (ReviewKind.REVERT, Verb.REJECT): "leaves it as it is",
    (ReviewKind.WAIVER, Verb.APPROVE): "lets it count from now on",
    (ReviewKind.WAIVER, Verb.REJECT): "never lets it count",
    (ReviewKind.AFTER, Verb.APPROVE): "says that it was right; nothing moves",
    (ReviewKind.AFTER, Verb.REJECT): "says that it was wrong; nothing moves",
}


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer: its name on pages, what it does in words, and the command that gives it."""

    name: str
    does: str
    command: str


@dataclass(frozen=True, slots=True)
class Weighed:
    """What the answers to a hold would do to its rows.

    overrides: the failed critical checks that each answer sets aside. empty: the answers that would
    let go of no row. failing: the answers whose publication the `destination` (in words) would
    refuse as it is now. taken: whether it takes by now all that it would have refused.
    """

    overrides: Mapping[Verb, tuple[str, ...]] = field(default_factory=dict)
    empty: frozenset[Verb] = frozenset()
    failing: frozenset[Verb] = frozenset()
    destination: str = "destination"
    taken: bool = False

    @property
    def repaired(self) -> str:
        """That nothing is in the way any more that the findings name; "" where it is not so."""
        if not self.taken:
            return ""
        return f"asked again now, the {self.destination} takes what it would have refused then"

    def overridden(self, verb: Verb) -> str:
        """What an answer would set aside, in words; "" where it is no override."""
        names = self.overrides.get(verb, ())
        checks = "check" if len(names) == 1 else "checks"
        return f"the failed critical {checks} {', '.join(names)}" if names else ""

    def fails(self, verb: Verb) -> str:
        """Why an answer would publish nothing as things are, in words; "" where it would."""
        if verb not in self.failing:
            return ""
        return f"the {self.destination} would refuse it until what `unsendable` says is repaired"


def offered(review: Review, weighed: Weighed) -> tuple[Verb, ...]:
    """The answers that are worth giving, the one that lets go first."""
    return tuple(verb for verb in review.offered if verb not in weighed.empty)


def answers(review: Review, weighed: Weighed) -> tuple[Answer, ...]:
    """All that this request can be answered with, the one that lets go first."""
    found = [
        Answer(
            verb.value.replace("_", " "),
            _does(review, verb) + _proviso(weighed, verb),
            _command(review, verb),
        )
        for verb in offered(review, weighed)
    ]
    if review.kind in HOLDS and not review.hopeless:
        found.insert(-1, _edit(review))
    return tuple(found)


def others(review: Review, members: Collection[str]) -> str:
    """Who of the group answers what one of them asked for; "" where nobody else is in it."""
    return " or ".join(sorted({*members} - {review.requested_by, review.reopened_by}))


def after_mending(sync: str) -> str:
    """How the rows come that a wrong key held, for whoever does not know how the sync reads."""
    return (
        f"mend the sync's key or its function; then `wfops run {sync} --since DATE` brings its "
        "rows (where a run cannot begin at a date, the next one does)"
    )


def _does(review: Review, verb: Verb) -> str:
    if review.hopeless and verb is Verb.REJECT:
        return f"publishes none of it: the key names no row; {after_mending(review.sync)}"
    if (review.kind, verb) in _DOES:
        return _DOES[review.kind, verb] + _together(review, verb)
    if review.kind is ReviewKind.ROWS and verb is Verb.APPROVE:
        held = counted_rows(len(review.keys)).replace(" ", " held ")
        as_it_is = "as it is" if len(review.keys) == 1 else "as they are"
        return f"publishes the {held} {as_it_is}{_together(review, verb)}"
    return "publishes none of it; it stays in quarantine" if verb is Verb.REJECT else verb.value


def _proviso(weighed: Weighed, verb: Verb) -> str:
    """What stands in the way of an answer, and what it sets aside."""
    failing, checks = weighed.fails(verb), weighed.overridden(verb)
    said = f", but not yet: {failing}" if failing else ""
    if not checks:
        return said
    return (
        f"{said}; that is an override of {checks}: it needs the role override, and somebody else "
        "looks at it afterwards"
    )


def _together(review: Review, verb: Verb) -> str:
    several = verb in APPROVING and review.approvals_needed > 1
    return f"; {review.approvals_needed} people must say so" if several else ""


def _edit(review: Review) -> Answer:
    return Answer(
        "edit",
        "mends cells first, and somebody else approves; --exclude KEY leaves a row out instead",
        _command(review, Verb.APPROVE, "--set KEY.COLUMN=VALUE"),
    )


def _command(review: Review, verb: Verb, *more: str) -> str:
    return " ".join(("wfops decide", review.id, verb.value, *more, "--reason …"))
