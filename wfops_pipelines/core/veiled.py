"""What may be said of a finding about a masked column: what kind of thing it is, and no value."""

from __future__ import annotations

import re
from typing import Any

from wfops_pipelines.core.findings import Finding, counted_rows

# shares and counts that tell of no value what it is
_HARMLESS = re.compile(
    r"null|empty|missing|distinct|most|damaged|untrimmed|accented|control|type|gone|new"
    r"|unseen [\w ]+|mix of [\w ]+|(above|below) the known range|shape of the distribution"
)
_SILENT = (  # their words quote none
    "critical_changes", "versions", "schema", "policy", "edited", "asked_again", "put_away",
    "unsendable", "overtaken", "undated", "declared_anew",
)  # fmt: skip
_KINDS = {
    "numbers": "numbers",
    "text": "texts",
    "times": "times",
    "missing": "missing values",
    "relations": "relations to other columns",
}


_MEASURES = (  # what is compared, of statistics whose names tell no value
    (r"(length )?mean", "the mean"),
    (r"(length )?median", "the median"),
    (r"(length )?spread", "the spread"),
    (r"(length )?(?:[0-4]?\d)% quantile", "the low end"),
    (r"(length )?(?:[5-9]\d)% quantile", "the high end"),
)
_LETTERS = {
    "lower": "small letters",
    "upper": "capital letters",
    "digits": "digits",
    "spaces": "spaces",
    "wide": "characters beyond ASCII",
    "marks": "punctuation",
}


def harmless(finding: Finding) -> bool:
    """Whether neither its sentence nor what it measured tells a value of its column."""
    if finding.check == "anomaly":
        return bool(_HARMLESS.fullmatch(str(finding.details.get("statistic", ""))))
    return finding.check in _SILENT


def veiled(finding: Finding) -> str:
    """A sentence for a finding whose column is masked."""
    if harmless(finding):
        return finding.sentence
    column, rows = f"{finding.column} (masked)", counted_rows(len(finding.keys))
    match finding.check.partition(":"):
        case "anomaly", "", _:
            return f"{column}: {_apart(finding)}"
        case "anomaly", _, _:
            return f"{column} makes {rows} unlike the published ones"
        case "expectation", _, name:
            fails = f"{rows} fail{'s' if len(finding.keys) == 1 else ''}" if finding.keys else ""
            return f"{column}: expected: {name.replace('_', ' ')}; {fails or 'it is not so'}"
        case check, _, _:
            return f"{column}: {check.replace('_', ' ')}" + (f", {rows}" if finding.keys else "")


def _apart(finding: Finding) -> str:
    """What was compared, and on which side of the last snapshots it lies, which is no value."""
    past: Any = finding.details.get("past") or []
    what = _KINDS.get(str(finding.details.get("kind")), "values")
    if len(past) < 2:
        return f"its {what} are unlike those before"
    *old, new = past
    where = "above" if new > max(old) else "below" if new < min(old) else "unlike"
    if measure := _measure(str(finding.details.get("statistic")), what):
        return (
            f"{measure} is {where} that of the last {len(old)} snapshots (figures are left out, "
            "for the column is masked)"
        )
    return f"its {what} are {where} those of the last {len(old)} snapshots"


def _measure(statistic: str, what: str) -> str:
    """The statistic in plain words; "" where its name may tell more, or nothing."""
    if statistic in _LETTERS:
        return f"the share of {_LETTERS[statistic]} in its texts"
    if statistic == "improbable spelling":
        return "the oddity of its texts' spelling"
    for pattern, words in _MEASURES:
        if found := re.fullmatch(pattern, statistic):
            return f"{words} of {'the lengths of its texts' if found[1] else f'its {what}'}"
    return ""
