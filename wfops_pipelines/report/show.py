"""Values as a reader sees them: masked, without control characters, never mistaken for markup."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime

from wfops_pipelines.core.findings import Finding, Json
from wfops_pipelines.core.veiled import veiled

MASK = "•••"
LONGEST = 300
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f\u200e\u200f\u202a-\u202e\u2066-\u2069]")


def plain(value: Json) -> str:
    """A measured value as text; control and text-direction characters become a visible sign."""
    if isinstance(value, float):
        return f"{value:,.10g}"
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    return spelled(value)


def spelled(value: Json) -> str:
    """A cell as text: as `plain`, but an id of 1000 is not 1,000."""
    match value:
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case int() | float():
            return repr(value)
        case str():
            text = value
        case _:
            text = json.dumps(value, ensure_ascii=False)
    text = _CONTROL.sub("\N{REPLACEMENT CHARACTER}", text)
    return text.encode("utf-8", "replace").decode("utf-8")


def shortened(text: str) -> str:
    """`text`, cut where it would fill a page."""
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}… ({len(text):,} characters)"


def masked_sentence(finding: Finding, masked: frozenset[str]) -> str:
    """A finding's sentence, without it where it may quote values of a masked column."""
    if finding.column in masked:
        return veiled(finding)
    about = {c for c in masked if re.search(rf"(?<!\w){re.escape(c)}(?!\w)", finding.sentence)}
    if hidden := sorted(about):
        return f"{finding.check} found something in the masked column {hidden[0]}"
    return finding.sentence


def in_utc(moment: datetime) -> str:
    """A time as it stands in the audit trail."""
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
