"""What a message says: plain text, made harmless for chats and mail."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from wfops_pipelines.errors import SettingsError

MOST = 20  # review requests that one message names
LONGEST = 400  # characters of one summary
_TEMPLATE = Path(__file__).with_name("message.txt")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\s]+")
_MARKUP = str.maketrans({"@": "@\u200b", "<": "‹", ">": "›", "`": "ˋ", "|": "¦"})


@dataclass(frozen=True, slots=True)
class Item:
    """One review request: what happened to it, what it is about, and its page."""

    news: str
    subject: str
    summary: str
    page: str


@dataclass(frozen=True, slots=True)
class Message:
    """A title of one line, and a body of plain text."""

    title: str
    body: str


def compose(
    group: str, items: Sequence[Item], *, base: str, template: Path | None = None
) -> Message:
    """One message for all that is new. `base` is the address at which people reach the UI.

    `template` is a Jinja file of the project's own instead of `message.txt`; its first line is the
    title. Raises SettingsError when it cannot be read or rendered.
    """
    from jinja2 import StrictUndefined, TemplateError
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    shown = [
        {"news": i.news, "subject": tame(i.subject), "summary": tame(i.summary),
         "url": base.rstrip("/") + i.page}
        for i in items[:MOST]
    ]  # fmt: skip
    environment = ImmutableSandboxedEnvironment(
        undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, autoescape=False
    )
    file = template or _TEMPLATE
    try:
        text = environment.from_string(file.read_text("utf-8")).render(
            group=group,
            items=shown,
            count=len(items),
            more=max(len(items) - MOST, 0),
            inbox=base.rstrip("/") + "/wfops",
        )
    except (OSError, UnicodeDecodeError, TemplateError, ArithmeticError, TypeError) as error:
        raise SettingsError(
            f"WFOPS_NOTIFY_TEMPLATE={file}: cannot be used ({error}). Mend it, or unset the "
            "variable for the built-in text."
        ) from error
    title, _, body = text.strip().partition("\n")
    return Message(title.strip()[:200], body.strip())


def tame(text: str) -> str:
    """One line without control characters, mentions or markup: it may hold what a SaaS said."""
    line = _CONTROL.sub(" ", text).strip().translate(_MARKUP)
    return line if len(line) <= LONGEST else f"{line[: LONGEST - 1]}…"
