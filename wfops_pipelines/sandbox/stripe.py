"""The billing API, Stripe-style: `has_more` and `starting_after`, amounts in minor units."""

from __future__ import annotations

from collections.abc import Mapping

from wfops_pipelines.sandbox.history import Seen
from wfops_pipelines.sandbox.invoices import Invoice
from wfops_pipelines.sandbox.vendors import Json, Page, Query, Vendor, instant, page_size


def query(params: Mapping[str, str]) -> Query:
    """Read a list request's parameters; raises BadQuery."""
    return Query(
        limit=page_size(params.get("limit"), 10),
        after=params.get("starting_after"),
        start=instant(params.get("updated[gte]")),
        end=instant(params.get("updated[lt]")),
        created_from=instant(params.get("created[gte]")),
        created_to=instant(params.get("created[lt]")),
    )


def record(row: Seen[Invoice]) -> Json:
    """Return one row as the API shows it."""
    invoice = row.state
    return {
        "id": invoice.id,
        "object": "invoice",
        "number": invoice.number,
        "customer": invoice.customer,
        "customer_email": invoice.email,
        "customer_name": invoice.name,
        "amount_due": invoice.amount,
        "amount_paid": invoice.paid,
        "amount_remaining": invoice.amount - invoice.paid,
        "currency": invoice.currency,
        "status": invoice.status,
        "collection_method": invoice.collection,
        "lines": {"object": "list", "total_count": invoice.lines},
        "created": invoice.created // 1000,
        "due_date": invoice.due and invoice.due // 1000,
        "updated": row.at // 1000,
        "livemode": False,
    }


def envelope(page: Page) -> Json:
    """Return a page in the vendor's envelope."""
    return {
        "object": "list",
        "url": "/v1/invoices",
        "has_more": page.next_after is not None,
        "data": page.records,
    }


def error(status: int, message: str) -> Json:
    """Return an error body in the vendor's shape."""
    kind = "api_error" if status >= 500 else "invalid_request_error"
    body: Json = {"type": kind, "message": message}
    if status == 429:
        body["code"] = "rate_limit"
    return {"error": body}


def fields(record: Json) -> Json:
    """Return the part of a record that holds its fields."""
    return record


def cursor(row: Seen[Invoice]) -> str:
    """Return what `starting_after` takes: the last record's id."""
    return row.state.id


BILLING = Vendor(
    system="billing",
    path="/v1/invoices",
    data_key="data",
    cursor_param="starting_after",
    token="sandbox-billing-token",  # noqa: S106
    query=query,
    record=record,
    fields=fields,
    cursor=cursor,
    envelope=envelope,
    error=error,
)
