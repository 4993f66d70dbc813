"""What went wrong with a request, in words that name the system, the request and the repair."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from wfops_pipelines.errors import (
    SourceMalformed,
    SourceRateLimited,
    SourceRefused,
    SourceUnreachable,
    SyncFailure,
)
from wfops_pipelines.sources.connection import variables

_LONGEST_QUOTE = 200


@dataclass(frozen=True, slots=True)
class Asked:
    """The request that a message is about; `token` and `hidden` only to keep them out of quotes."""

    system: str
    path: str
    attempts: int
    token: str
    hidden: list[str] = field(default_factory=list)

    def __repr__(self) -> str:
        return f"Asked({self.system!r}, {self.path!r})"

    @property
    def words(self) -> str:
        return f"{self.system}: GET {self.path}"

    def malformed(self, problem: str) -> SourceMalformed:
        """Return the failure for an answer that is not what the API promises."""
        return SourceMalformed(
            f"{self.words}: {problem}. Repair: compare the answer with the vendor's "
            f"documentation, adapt the source or report it to the vendor; then retry"
        )

    def unreachable(self, problem: str) -> SourceUnreachable:
        """Return the failure for a server that did not answer properly in all attempts."""
        return SourceUnreachable(
            f"{self.words}: {problem} (attempts: {self.attempts}). Repair: check that "
            f"{variables(self.system)[0]} is right and the vendor's status page; then retry"
        )

    def status(self, status: int, body: str, retry_after: str | None) -> SyncFailure:
        """Return the failure for an error status that stayed."""
        said = f"answered {status}{self.quote(body)}"
        if status in (401, 403):
            return SourceRefused(
                f"{self.words} {said}. Repair: renew the token in {variables(self.system)[1]} "
                f"and check that it may read this path; then retry"
            )
        if status == 429:
            # A number of seconds or a date; anything else is not worth repeating.
            known = retry_after is not None and retry_after.strip().isdecimal()
            wish = f", asking for {retry_after} s of patience" if known else ""
            return SourceRateLimited(
                f"{self.words} {said}{wish} (attempts: {self.attempts}). Repair: retry later, "
                f"sync less often, or ask the vendor for a higher limit"
            )
        if status >= 500:
            return self.unreachable(said)
        return self.malformed(said)

    def hide(self, *secrets: str) -> None:
        """Keep these out of what is quoted, too."""
        self.hidden.extend(secrets)

    def quote(self, body: str) -> str:
        """Return the beginning of what the vendor said, without the token."""
        for secret in sorted({self.token, *self.hidden} - {""}, key=len, reverse=True):
            body = body.replace(secret, "***")
        text = " ".join(_clean(body).split())
        if not text:
            return ""
        ending = "…" if len(text) > _LONGEST_QUOTE else ""
        return f" ({text[:_LONGEST_QUOTE]}{ending})"


def _clean(text: Any) -> str:
    return "".join(c if c.isprintable() else " " for c in str(text)[:4000])
