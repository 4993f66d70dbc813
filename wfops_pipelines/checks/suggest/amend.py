"""A suite's text with entries added or changed, every other byte as its author wrote it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence

from wfops_pipelines.checks.suggest.propose import Entry

_ARRAY = re.compile(r'"expectations"\s*:\s*\[')
_BLANK = re.compile(r"\s*")


def entries_of(text: str) -> list[Entry]:
    """The entries as written, in their order."""
    return list(json.loads(text.removeprefix("\ufeff"))["expectations"])


def amended(text: str, changed: Mapping[int, Entry], added: Sequence[Entry]) -> str:
    """`text` with the entries at the given places replaced, and others added at the end."""
    spans, end = _spans(text)
    lines = [_line(entry) for entry in added]
    if not spans:
        body = "".join(f"\n    {line}," for line in lines).rstrip(",")
        text = f"{text[:end]}{body}\n  {text[end:].lstrip()}" if lines else text
    else:
        indent = re.search(r"[^\S\n]*$", text[: spans[0][0]])
        assert indent is not None
        last = spans[-1][1]
        more = "".join(f",\n{indent.group()}{line}" for line in lines)
        text = text[:last] + more + text[last:]
    for place in sorted(changed, reverse=True):
        start, stop = spans[place]
        text = text[:start] + _line(changed[place]) + text[stop:]
    return text


def _line(entry: Entry) -> str:
    return json.dumps(entry, ensure_ascii=False)


def _spans(text: str) -> tuple[list[tuple[int, int]], int]:
    """Where each entry stands, and where the array ends."""
    decoder, spans = json.JSONDecoder(), []
    at = _start(text)
    while text[at] != "]":
        _, stop = decoder.raw_decode(text, at)
        spans.append((at, stop))
        at = _skip(text, stop)
        at = _skip(text, at + 1) if text[at] == "," else at
    return spans, at


def _start(text: str) -> int:
    found = _ARRAY.search(text)  # the reader refused a suite in which it could stand elsewhere
    assert found is not None
    return _skip(text, found.end())


def _skip(text: str, at: int) -> int:
    blank = _BLANK.match(text, at)
    assert blank is not None
    return blank.end()
