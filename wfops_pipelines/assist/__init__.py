"""Assistance that a person owns: drafts, labels and repairs that stay proposals until accepted.

    assist=(
        classify("topic", text=("subject", "question"), seed=here / "topics.jsonl"),
        draft("reply", template=here / "reply.jinja", context={"customer": rows_of(…)}),
    )

Whatever these propose is staged as a column of the snapshot, and the rows wait for a person.
"""

from wfops_pipelines.assist.declared import (
    Classify,
    Context,
    Drafting,
    Duplicates,
    RowsOf,
    Tidy,
    classify,
    draft,
    duplicates,
    rows_of,
    tidy,
)
from wfops_pipelines.assist.provider import Provider, provider_from

__all__ = [
    "Classify",
    "Context",
    "Drafting",
    "Duplicates",
    "Provider",
    "RowsOf",
    "Tidy",
    "classify",
    "draft",
    "duplicates",
    "provider_from",
    "rows_of",
    "tidy",
]
