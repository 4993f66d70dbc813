"""How an API says that there is more. Paths are dotted: `paging.next.after`.

The extractor trusts none of it: a next page that was read already, that lies at another origin or
that is announced but not given ends the extraction with SourceMalformed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class CursorPaging:
    """The answer holds a cursor at `path`; the next request sends it as the parameter `param`.

    `path` may end in `[-1].id`: the last record's id is the cursor. `more` is the path of a
    boolean that must be there and decides whether to go on, `done` of one that says the contrary.
    `announced` is the path of an object that is only there when more follows (then the cursor must
    be there too). A token in the answer (`nextPageToken`) is a cursor as well.
    """

    path: str
    param: str
    more: str | None = None
    announced: str | None = None
    done: str | None = None


@dataclass(frozen=True, slots=True)
class LinkPaging:
    """The answer holds the next page's address at `path`; `more` and `done` as in CursorPaging."""

    path: str
    more: str | None = None
    done: str | None = None


@dataclass(frozen=True, slots=True)
class HeaderCursorPaging:
    """The cursor is in a header of the answer, absent at the end; sent as the parameter `param`."""

    header: str
    param: str


@dataclass(frozen=True, slots=True)
class HeaderLinkPaging:
    """The next page's address is in the `Link` header (RFC 8288), as at GitHub."""

    rel: str = "next"


@dataclass(frozen=True, slots=True)
class OffsetPaging:
    """The next request asks for `offset + limit`; an empty page, or `total` rows, end it."""

    limit: int
    offset_param: str = "offset"
    limit_param: str = "limit"
    total: str | None = None


@dataclass(frozen=True, slots=True)
class PageNumberPaging:
    """The next request asks for the next page number; an empty page, or `total` pages, end it."""

    param: str = "page"
    first: int = 1
    total: str | None = None


@dataclass(frozen=True, slots=True)
class SinglePage:
    """One answer holds everything."""


Paging: TypeAlias = (
    CursorPaging
    | LinkPaging
    | HeaderCursorPaging
    | HeaderLinkPaging
    | OffsetPaging
    | PageNumberPaging
    | SinglePage
)
