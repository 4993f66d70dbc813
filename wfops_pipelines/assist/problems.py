"""What is wrong with a sync's assistants, found without running them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from wfops_pipelines.assist.declared import Classify, Drafting
from wfops_pipelines.errors import SettingsError

Problem = tuple[str, str, str]  # field, what is wrong, repair


def problems(
    assistants: Sequence[object], taken: Sequence[str], masked: Mapping[str, Sequence[str]]
) -> Iterator[Problem]:
    """`taken` are columns that no assistant may fill, `masked` the hidden columns of each table."""
    seen: list[str] = []
    for asked in assistants:
        if not isinstance(asked, Classify | Drafting):
            yield "assist", f"{asked!r} is no assistant", "use classify(…) or draft(…)"
            continue
        if asked.column in (*taken, *seen):
            said = f"the column {asked.column!r} is the key, the cursor or another assistant's"
            yield "assist", said, "give each assistant a column of its own"
        seen.append(asked.column)
        yield from _classify(asked) if isinstance(asked, Classify) else _drafting(asked, masked)


def _classify(asked: Classify) -> Iterator[Problem]:
    from wfops_pipelines.assist.labels import seeds

    if not 0 <= asked.at_least <= 1:
        yield "assist.at_least", f"{asked.at_least} is no confidence", "a share from 0 to 1, as 0.6"
    try:
        seeds(asked.seed)
    except SettingsError as error:
        yield "assist.seed", str(error), 'lines of {"text": "…", "label": "…"}'


def _drafting(asked: Drafting, masked: Mapping[str, Sequence[str]]) -> Iterator[Problem]:
    if not asked.template.is_file():
        said = f"there is no file {asked.template}"
        yield "assist.template", said, "write the Jinja2 template, or name where it is"
    for name, of in asked.context.items():
        hidden = [c for c in of.columns if c in masked.get(of.table, ())]
        if hidden:
            said = f"context {name!r} shows {hidden[0]!r}, which the sync of {of.table} masks"
            yield "assist.context", said, "leave the column out, or unmask it there"
