"""The body of a search: what is asked for, its window, and where its next page goes."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from itertools import pairwise
from typing import Any

_STEP = re.compile(r"[^.\[\]]+|\[-?\d+\]")
_END = re.compile(r"\{(start|end)\}")


def steps(path: str) -> list[str | int]:
    """The steps of a dotted path: `jobs[0].body.records` goes through a list."""
    found = _STEP.findall(path)
    return [int(s[1:-1]) if s.startswith("[") else s for s in found]


def put(body: Any, path: str, value: Any) -> None:
    """Set what lies at a dotted path, making the objects on the way that are not there.

    Raises:
        ValueError: the path leads through something that is neither object nor list.
    """
    way = steps(path)
    try:
        for step, following in pairwise(way):
            if isinstance(step, str) and step not in body and isinstance(following, str):
                body[step] = {}
            body = body[step]
        body[way[-1]] = value
    except (TypeError, LookupError):
        raise ValueError(f"the body has no place {path!r}") from None


def filled(body: Any, ends: Mapping[str, str | int]) -> Any:
    """The body with the window's ends; a text that is only `{start}` keeps their type."""
    match body:
        case "{start}" | "{end}":
            return ends[body[1:-1]]
        case str():
            return _END.sub(lambda m: str(ends[m[1]]), body)
        case dict():
            return {k: filled(v, ends) for k, v in body.items()}
        case list():
            return [filled(v, ends) for v in body]
    return body


def asks_for_window(body: str) -> bool:
    """Whether a body (JSON) names an end of the window."""
    return _END.search(body) is not None


def written(body: Mapping[str, Any], paths: list[str]) -> str:
    """The body as JSON, after trying whether each path has its place in it.

    Raises:
        ValueError: no JSON object, or a path without a place.
    """
    try:
        text = json.dumps(dict(body))
    except TypeError as error:
        raise ValueError(f"the body is no JSON: {error}") from None
    tried = json.loads(text)
    for path in paths:
        put(tried, path, "")
    return text
