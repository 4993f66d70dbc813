"""Vendors' habits, ready to use: `hubspot("crm", "/crm/v3/objects/contacts")`.

All take `auth`, `timeout`, `deadline` and `retries` as `rest_api` does.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Literal, TypedDict, Unpack

from wfops_pipelines.apis.connection import Signing
from wfops_pipelines.apis.window import TimeFormat
from wfops_pipelines.sources.paging import CursorPaging, HeaderLinkPaging, LinkPaging
from wfops_pipelines.sources.rest import RestSource, Retries, rest_api

_HUBSPOT = CursorPaging("paging.next.after", "after", announced="paging.next")


class How(TypedDict, total=False):
    """What each of these takes as `rest_api` does: how to sign, to wait and to insist."""

    auth: Signing
    timeout: float
    deadline: float
    retries: Retries | None


def hubspot(
    system: str,
    path: str,
    *,
    filters: bool = True,
    **how: Unpack[How],
) -> RestSource:
    """A HubSpot-style list: records under `results`, each with its `properties`.

    filters: whether the list can be asked for what changed. HubSpot's own object lists cannot: with
    False all is read, and what changed in the window is kept.
    """
    return rest_api(
        system,
        path,
        records="results",
        paging=_HUBSPOT,
        updated_after="updatedAfter" if filters else None,
        updated_before="updatedBefore" if filters else None,
        updated_at=None if filters else "updatedAt",
        page_size=("limit", 100),
        **how,
    )


def hubspot_search(
    system: str,
    kind: str,
    properties: Sequence[str],
    *,
    changed: str = "hs_lastmodifieddate",
    **how: Unpack[How],
) -> RestSource:
    """HubSpot's search of objects, which can be asked for what changed: `("crm", "deals", …)`.

    changed: the property with the last change; "lastmodifieddate" for contacts. HubSpot gives at
    most 10,000 records a search and refuses the page after: read the first time by `hubspot(…,
    filters=False)`.
    """
    window = [
        {"propertyName": changed, "operator": operator, "value": value}
        for operator, value in (("GTE", "{start}"), ("LT", "{end}"))
    ]
    return rest_api(
        system,
        f"/crm/v3/objects/{kind}/search",
        records="results",
        paging=_HUBSPOT,
        body={
            "filterGroups": [{"filters": window}],
            "sorts": [{"propertyName": changed, "direction": "ASCENDING"}],
            "properties": list(dict.fromkeys([*properties, changed])),
        },
        times=TimeFormat.UNIX_MILLIS,
        page_size=("limit", 100),
        **how,
    )


def notion(
    system: str,
    path: str,
    *,
    version: str = "2022-06-28",
    **how: Unpack[How],
) -> RestSource:
    """The pages of a Notion database: `notion("wiki", "/v1/databases/<id>/query")`.

    Notion knows the last edit to the minute; an overlap of some minutes finds the late ones.
    """
    edited = "last_edited_time"
    window = [
        {"timestamp": edited, edited: {"on_or_after": "{start}"}},
        {"timestamp": edited, edited: {"before": "{end}"}},
    ]
    return rest_api(
        system,
        path,
        records="results",
        paging=CursorPaging("next_cursor", "start_cursor", more="has_more"),
        headers={"Notion-Version": version},
        body={
            "filter": {"and": window},
            "sorts": [{"timestamp": edited, "direction": "ascending"}],
        },
        page_size=("page_size", 100),
        **how,
    )


def stripe(
    system: str,
    path: str,
    *,
    window: Literal["updated", "created"] | None = "updated",
    **how: Unpack[How],
) -> RestSource:
    """A Stripe-style list: records under `data`, amounts in minor units, times in unix seconds.

    window: the time that the API filters by. Stripe itself knows only `created`, for objects that
    do not change any more (charges, events); None reads all, for those that do.
    """
    return rest_api(
        system,
        path,
        records="data",
        paging=CursorPaging("data[-1].id", "starting_after", more="has_more"),
        updated_after=f"{window}[gte]" if window else None,
        updated_before=f"{window}[lt]" if window else None,
        times=TimeFormat.UNIX_SECONDS,
        page_size=("limit", 100),
        **how,
    )


def zendesk(
    system: str,
    path: str,
    *,
    filters: bool = True,
    **how: Unpack[How],
) -> RestSource:
    """A Zendesk-style list: records under the object's name, as in `/api/v2/tickets.json`.

    filters: as for `hubspot`; Zendesk's own lists cannot, either.
    """
    return rest_api(
        system,
        path,
        records=path.rsplit("/", 1)[-1].removesuffix(".json"),
        paging=LinkPaging("links.next", more="meta.has_more"),
        updated_after="updated_after" if filters else None,
        updated_before="updated_before" if filters else None,
        updated_at=None if filters else "updated_at",
        times=TimeFormat.ISO_SECONDS,
        page_size=("page[size]", 100),
        **how,
    )


def salesforce(
    system: str,
    table: str,
    fields: Sequence[str],
    *,
    cursor: str = "SystemModstamp",
    deleted: bool = False,
    version: str = "v62.0",
    **how: Unpack[How],
) -> RestSource:
    """A Salesforce-style query: `salesforce("sf", "Contact", ("Id", "Email", "SystemModstamp"))`.

    deleted: also what lies in the bin, with `IsDeleted` true where that is among the fields.

    Raises:
        ValueError: a table or field that is no name.
    """
    for name in (table, cursor, *fields):
        if not re.fullmatch(r"[A-Za-z][\w.]*", name, re.ASCII):
            raise ValueError(f"salesforce({system!r}): {name!r} is no name of a table or field")
    columns = ", ".join(dict.fromkeys([*fields, cursor]))
    window = f"{cursor} >= {{start}} AND {cursor} < {{end}}"
    return rest_api(
        system,
        f"/services/data/{version}/{'queryAll' if deleted else 'query'}",
        records="records",
        paging=LinkPaging("nextRecordsUrl", done="done"),
        where=("q", f"SELECT {columns} FROM {table} WHERE {window} ORDER BY {cursor}, Id"),
        **how,
    )


def github(
    system: str,
    path: str,
    *,
    params: Mapping[str, str] | None = None,
    **how: Unpack[How],
) -> RestSource:
    """A GitHub-style list: the answer is the list, the next page's address in the Link header.

    Sorted by creation, which does not change: by update, a row that changes between two pages
    would push another over their border, unread. `params` as `{"state": "all"}` for issues.
    """
    return rest_api(
        system,
        path,
        records="",
        paging=HeaderLinkPaging(),
        updated_after="since",
        times=TimeFormat.ISO_SECONDS,
        page_size=("per_page", 100),
        params={"sort": "created", "direction": "asc", **(params or {})},
        **how,
    )
