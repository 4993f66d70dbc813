"""The support API, Zendesk-style: `links.next`, `meta.after_cursor`, and comments to write."""

from __future__ import annotations

from collections.abc import Mapping

from wfops_pipelines.sandbox.history import Seen
from wfops_pipelines.sandbox.state import Comment
from wfops_pipelines.sandbox.tickets import Ticket
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
        limit=page_size(params.get("page[size]"), 100),
        after=params.get("page[after]"),
        start=instant(params.get("updated_after")),
        end=instant(params.get("updated_before")),
    )


def record(row: Seen[Ticket]) -> Json:
    """Return one row as the API shows it."""
    ticket = row.state
    requester = {
        "id": ticket.requester_id,
        "name": ticket.requester_name,
        "email": ticket.requester_email,
    }
    source = {"from": {"address": ticket.requester_email, "name": ticket.requester_name}}
    return {
        "id": ticket.id,
        "subject": ticket.subject,
        "description": ticket.description,
        "status": ticket.status,
        "priority": ticket.priority,
        "requester_id": ticket.requester_id,
        "requester": requester,
        "via": {"channel": ticket.channel, "source": source},
        "tags": list(ticket.tags),
        "satisfaction_rating": {"score": ticket.satisfaction},
        "created_at": iso(ticket.created, 0),
        "updated_at": iso(row.at, 0),
    }


def envelope(page: Page) -> Json:
    """Return a page in the vendor's envelope."""
    after = page.next_after
    return {
        "tickets": page.records,
        "links": {"next": page.link(after) if after else None, "prev": None},
        "meta": {"has_more": after is not None, "after_cursor": after},
    }


def comment(was: Comment) -> Json:
    """Return a stored reply as the API shows it; the key is under `metadata.custom`."""
    return {
        "id": was.id,
        "type": "Comment",
        "ticket_id": was.ticket,
        "author_id": 360_000_000_001,
        "body": was.body,
        "public": was.public,
        "metadata": {"custom": {"idempotency_key": was.key}},
        "created_at": was.at,
    }


def first_comment(ticket: Ticket) -> Json:
    """Return what the customer wrote: Zendesk shows the description as a ticket's first comment."""
    return {
        "id": ticket.id * 1_000_000,
        "type": "Comment",
        "ticket_id": ticket.id,
        "author_id": ticket.requester_id,
        "body": ticket.description,
        "public": True,
        "metadata": {"custom": {}},
        "created_at": iso(ticket.created, 0),
    }


def error(status: int, message: str) -> Json:
    """Return an error body in the vendor's shape."""
    words = {401: "Couldn't authenticate you", 404: "RecordNotFound", 429: "TooManyRequests"}
    usual = "RecordInvalid" if status < 500 else "InternalError"
    return {"error": words.get(status, usual), "description": message}


def fields(record: Json) -> Json:
    """Return the part of a record that holds its fields."""
    return record


SUPPORT = Vendor(
    system="support",
    path="/api/v2/tickets.json",
    data_key="tickets",
    cursor_param="page[after]",
    token="sandbox-support-token",  # noqa: S106
    query=query,
    record=record,
    fields=fields,
    cursor=opaque,
    envelope=envelope,
    error=error,
)
