"""Why something was held, without its figures: what two holds of one cause have in common."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from wfops_pipelines.core.canonical import canonical, digest
from wfops_pipelines.core.findings import Finding

NAMES_NONE = "key (names no row)"  # the kind of what nobody can approve; it comes first
MOST = 8  # kinds that are spelled out; the rest is named by its digest


def cause_of_findings(reasons: Iterable[Finding]) -> str:
    """The kinds of all holding findings, in order. No value and no key of any row is in it."""
    kinds = sorted({kind_of(f) for f in reasons}, key=lambda k: (NAMES_NONE not in k, k))
    if len(kinds) <= MOST:
        return "; ".join(kinds)
    rest = digest(canonical([*kinds[MOST:]]))[:8]
    return f"{'; '.join(kinds[:MOST])}; and {len(kinds) - MOST} more ({rest})"


def kind_of(finding: Finding) -> str:
    """What kind of finding this is: the check, and the column or rule that it is about."""
    check = finding.check.removeprefix("expectation:")
    if finding.details.get("crashed"):
        return f"{check} crashed"
    if finding.names_none:
        return f"{NAMES_NONE}: {finding.column}"
    if finding.details.get("fallbacks"):
        return f"{check}: {finding.column} (instead of a provider)"
    if finding.check != check:
        return check  # its name says the column already
    what = finding.details.get("rule") or finding.column
    return f"{check}: {what}" if what else check


def causes_of_rows(
    reasons: Iterable[Finding], only: Collection[str] | None = None
) -> Mapping[str, str]:
    """For each row that holding findings name (or `only` these), by its key: the kinds of those."""
    found: dict[str, list[Finding]] = {}
    for finding in reasons:
        for key in finding.keys if only is None else set(finding.keys).intersection(only):
            found.setdefault(key, []).append(finding)
    known: dict[tuple[int, ...], str] = {}  # thousands of rows have a few causes between them
    causes = {}
    for key, some in found.items():
        these = tuple(map(id, some))
        causes[key] = known.setdefault(these, "") or cause_of_findings(some)
        known[these] = causes[key]
    return causes
