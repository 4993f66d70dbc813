"""dlt's paginators for each way of paging, in the address or in the body of a search."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from wfops_pipelines.sources.paging import (
    CursorPaging,
    HeaderCursorPaging,
    HeaderLinkPaging,
    LinkPaging,
    OffsetPaging,
    PageNumberPaging,
    Paging,
    SinglePage,
)
from wfops_pipelines.sources.searching import put

if TYPE_CHECKING:
    from dlt.sources.helpers.rest_client.paginators import BasePaginator


def paginator(paging: Paging, *, in_body: bool) -> BasePaginator:
    """dlt's paginator, which writes into the parameters, or `in_body` at dotted paths."""
    from dlt.sources.helpers.rest_client import paginators as dlt_paging

    found: BasePaginator
    match paging:
        case CursorPaging():
            found = dlt_paging.JSONResponseCursorPaginator(paging.path, paging.param)
        case LinkPaging():
            return dlt_paging.JSONLinkPaginator(paging.path)
        case HeaderCursorPaging():
            found = dlt_paging.HeaderCursorPaginator(paging.header, paging.param)
        case HeaderLinkPaging():
            return dlt_paging.HeaderLinkPaginator(paging.rel)
        case OffsetPaging():
            found = dlt_paging.OffsetPaginator(
                limit=paging.limit,
                offset_param=paging.offset_param,
                limit_param=paging.limit_param,
                total_path=paging.total,
            )
        case PageNumberPaging():
            found = dlt_paging.PageNumberPaginator(
                base_page=paging.first, page_param=paging.param, total_path=paging.total
            )
        case SinglePage():
            return dlt_paging.SinglePagePaginator()
    return _into_body(found) if in_body else found


def _into_body(inner: BasePaginator) -> BasePaginator:
    """What `inner` would write into the parameters goes into the body instead."""
    from dlt.sources.helpers.rest_client.paginators import BasePaginator
    from requests import Request

    class Posted(BasePaginator):
        @property
        def has_next_page(self) -> bool:
            return inner.has_next_page

        def init_request(self, request: Any) -> None:
            self._move(inner.init_request, request)

        def update_state(self, response: Any, data: Any = None) -> None:
            inner.update_state(response, data)

        def update_request(self, request: Any) -> None:
            self._move(inner.update_request, request)

        def _move(self, write: Any, request: Any) -> None:
            wanted: dict[str, Any] = {}
            write(Request(params=wanted))
            for path, value in wanted.items():
                if value is not None:
                    put(request.json, path, value)

    return Posted()
