"""The CRM's API, HubSpot-style: `paging.next.after`, everything under `properties` is text."""

from __future__ import annotations

from collections.abc import Mapping

from wfops_pipelines.sandbox.contacts import Contact
from wfops_pipelines.sandbox.history import Seen
from wfops_pipelines.sandbox.vendors import (
    Json,
    Page,
    Query,
    Vendor,
    instant,
    iso,
    opaque,
    page_size,
)


def query(params: Mapping[str, str]) -> Query:
    """Read a list request's parameters; raises BadQuery."""
    return Query(
        limit=page_size(params.get("limit"), 10),
        after=params.get("after"),
        start=instant(params.get("updatedAfter"), unit=1),
        end=instant(params.get("updatedBefore"), unit=1),
    )


def record(row: Seen[Contact]) -> Json:
    """Return one row as the API shows it."""
    contact = row.state
    created, updated = iso(contact.created), iso(row.at)
    properties = {
        "email": contact.email,
        "firstname": contact.firstname,
        "lastname": contact.lastname,
        "company": contact.company,
        "lifecyclestage": contact.stage,
        "hubspot_owner_id": contact.owner,
        "country": contact.shown_country,
        "phone": contact.phone,
        "createdate": created,
        "lastmodifieddate": updated,
    }
    return {
        "id": str(contact.id),
        "properties": properties,
        "createdAt": created,
        "updatedAt": updated,
        "archived": False,
    }


def envelope(page: Page) -> Json:
    """Return a page in the vendor's envelope."""
    body: Json = {"results": page.records}
    if page.next_after:
        after = page.next_after
        body["paging"] = {"next": {"after": after, "link": page.link(after)}}
    return body


def error(status: int, message: str) -> Json:
    """Return an error body in the vendor's shape."""
    category = {
        401: "INVALID_AUTHENTICATION",
        404: "OBJECT_NOT_FOUND",
        429: "RATE_LIMITS",
    }.get(status, "VALIDATION_ERROR" if status < 500 else "INTERNAL_ERROR")
    return {
        "status": "error",
        "message": message,
        "correlationId": "5a9d0000-0000-4000-8000-000000000000",
        "category": category,
    }


def fields(record: Json) -> Json:
    """Return the part of a record that holds its fields."""
    properties: Json = record["properties"]
    return properties


CRM = Vendor(
    system="crm",
    path="/crm/v3/objects/contacts",
    data_key="results",
    cursor_param="after",
    token="sandbox-crm-token",  # noqa: S106
    query=query,
    record=record,
    fields=fields,
    cursor=opaque,
    envelope=envelope,
    error=error,
)
