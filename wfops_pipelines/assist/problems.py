"""What is wrong with a sync's assistants, found without running them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from wfops_pipelines.assist.declared import Classify, Drafting, Duplicates, Tidy
from wfops_pipelines.errors import SettingsError

Problem = tuple[str, str, str]  # field, what is wrong, repair


def problems(
    assistants: Sequence[object],
    taken: Sequence[str],
    masked: Mapping[str, Sequence[str]],
    hidden: Sequence[str] = (),
) -> Iterator[Problem]:
    """`taken` are columns that no assistant may fill, `masked` the masked columns of each table,
    `hidden` those of this sync.
    """
    seen: list[str] = []
    for asked in assistants:
        if not isinstance(asked, Classify | Drafting | Tidy | Duplicates):
            yield (
                "assist",
                f"{asked!r} is no assistant",
                "use classify(…), draft(…), tidy(…) or duplicates(…)",
            )
            continue
        if asked.column in (*taken, *seen):
            said = f"the column {asked.column!r} is the key, the cursor or another assistant's"
            yield "assist", said, "give each assistant a column of its own"
        seen.append(asked.column)
        match asked:
            case Classify():
                yield from _classify(asked)
            case Drafting():
                yield from _drafting(asked, masked)
            case Tidy():
                yield from _tidy(asked, hidden)
            case Duplicates():
                yield from _duplicates(asked, hidden)


def _classify(asked: Classify) -> Iterator[Problem]:
    from wfops_pipelines.assist.labels import seeds

    if not 0 <= asked.at_least <= 1:
        yield "assist.at_least", f"{asked.at_least} is no confidence", "a share from 0 to 1, as 0.6"
    try:
        seeds(asked.seed)
    except SettingsError as error:
        yield "assist.seed", str(error), 'lines of {"text": "…", "label": "…"}'


def _tidy(asked: Tidy, hidden: Sequence[str]) -> Iterator[Problem]:
    from wfops_pipelines.assist.repairs import RULES

    if asked.rule not in RULES:
        yield "assist.rule", f"there is no rule {asked.rule!r}", f"use one of {', '.join(RULES)}"
    if asked.rule == "spelling" and not asked.accepted:
        yield "assist.accepted", "spelling has nothing to spell like", 'accepted=("lead", …)'
    if asked.column in hidden and not asked.standing:
        said = f"nobody could see what is proposed for {asked.column!r}, which is masked"
        yield "assist.column", said, "make the rule standing, or unmask the column"


def _duplicates(asked: Duplicates, hidden: Sequence[str]) -> Iterator[Problem]:
    if not asked.columns or isinstance(asked.columns, str) or not 50 < asked.at_least <= 100:
        said = f"duplicates of {asked.columns!r} at {asked.at_least} compare nothing"
        yield "assist", said, 'duplicates(("name", "company"), at_least=93)'
    if secret := [c for c in asked.columns if c in hidden]:
        said = f"nobody could see what is compared in {secret[0]!r}, which is masked"
        yield "assist.columns", said, "compare other columns, or unmask it"


def _drafting(asked: Drafting, masked: Mapping[str, Sequence[str]]) -> Iterator[Problem]:
    if not asked.template.is_file():
        said = f"there is no file {asked.template}"
        yield "assist.template", said, "write the Jinja2 template, or name where it is"
    for name, of in asked.context.items():
        hidden = [c for c in of.columns if c in masked.get(of.table, ())]
        if hidden:
            said = f"context {name!r} shows {hidden[0]!r}, which the sync of {of.table} masks"
            yield "assist.context", said, "leave the column out, or unmask it there"
