"""Vendors' habits, ready to use: `hubspot("crm", "/crm/v3/objects/contacts")`."""

from __future__ import annotations

from wfops_pipelines.sources.paging import CursorPaging, LinkPaging
from wfops_pipelines.sources.rest import RestSource, Retries, rest_api
from wfops_pipelines.sources.window import TimeFormat


def hubspot(
    system: str, path: str, *, timeout: float = 30.0, retries: Retries | None = None
) -> RestSource:
    """A HubSpot-style list: records under `results`, each with its `properties`."""
    return rest_api(
        system,
        path,
        records="results",
        paging=CursorPaging("paging.next.after", "after", announced="paging.next"),
        updated_after="updatedAfter",
        updated_before="updatedBefore",
        page_size=("limit", 100),
        timeout=timeout,
        retries=retries,
    )


def stripe(
    system: str, path: str, *, timeout: float = 30.0, retries: Retries | None = None
) -> RestSource:
    """A Stripe-style list: records under `data`, amounts in minor units, times in unix seconds."""
    return rest_api(
        system,
        path,
        records="data",
        paging=CursorPaging("data[-1].id", "starting_after", more="has_more"),
        updated_after="updated[gte]",
        updated_before="updated[lt]",
        times=TimeFormat.UNIX_SECONDS,
        page_size=("limit", 100),
        timeout=timeout,
        retries=retries,
    )


def zendesk(
    system: str, path: str, *, timeout: float = 30.0, retries: Retries | None = None
) -> RestSource:
    """A Zendesk-style list: records under the object's name, as in `/api/v2/tickets.json`."""
    return rest_api(
        system,
        path,
        records=path.rsplit("/", 1)[-1].removesuffix(".json"),
        paging=LinkPaging("links.next", more="meta.has_more"),
        updated_after="updated_after",
        updated_before="updated_before",
        times=TimeFormat.ISO_SECONDS,
        page_size=("page[size]", 100),
        timeout=timeout,
        retries=retries,
    )
