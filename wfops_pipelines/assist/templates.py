"""The embedded default for texts: a Jinja2 template in a sandbox."""

from __future__ import annotations

import hashlib
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from wfops_pipelines.assist.declared import Context, Drafting
from wfops_pipelines.core.drafts import Draft, DraftKind, prompt_digest
from wfops_pipelines.core.texts import visible
from wfops_pipelines.errors import SettingsError

if TYPE_CHECKING:
    from jinja2 import Template

LONGEST = 8000  # characters of a draft


def render(asked: Drafting, context: Context, sources: tuple[tuple[str, str], ...]) -> Draft:
    """Fill in the template. Raises SettingsError naming file, line and what is wrong with it."""
    from jinja2 import TemplateError

    template, version = _template(asked.template, asked.template.stat().st_mtime_ns)
    try:
        text = visible(template.render(row=context.row, **context.found).strip())
    except (TemplateError, LookupError, ArithmeticError, TypeError, ValueError) as error:
        raise SettingsError(f"{asked.template}: cannot be filled in ({error}). Mend it.") from error
    if len(text) > LONGEST:
        raise SettingsError(f"{asked.template}: gives more than {LONGEST:,} characters for it.")
    return Draft(
        kind=DraftKind.REPLY,
        column=asked.column,
        value=text or None,
        confidence=None,
        why="a template: the same text for every row like it",
        model=f"template {asked.template.name} {version}",
        prompt=prompt_digest([version, [list(s) for s in sources]]),
        sources=sources,
    )


@lru_cache(maxsize=32)
def _template(file: Path, _changed: int) -> tuple[Template, str]:
    from jinja2 import StrictUndefined, TemplateError
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    try:
        text = file.read_text("utf-8")
        environment = ImmutableSandboxedEnvironment(
            undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, autoescape=False
        )
        return environment.from_string(text), hashlib.sha256(text.encode()).hexdigest()[:8]
    except (OSError, UnicodeDecodeError, TemplateError) as error:
        raise SettingsError(f"{file}: is no Jinja2 template ({error}). Mend it.") from error
