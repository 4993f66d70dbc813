"""Declare a SaaS REST API as destination; what cannot be is refused where it is declared."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from wfops_pipelines.apis.connection import Signing, bearer
from wfops_pipelines.destinations.calling import Manners
from wfops_pipelines.destinations.calls import call, columns_in
from wfops_pipelines.destinations.forms import bracketed
from wfops_pipelines.destinations.listing import Lists, check_lists
from wfops_pipelines.destinations.looking import Many
from wfops_pipelines.destinations.rest import RestDestination


def rest_destination(
    system: str,
    create: str | None = None,
    *,
    update: str | None = None,
    delete: str | None = None,
    delete_body: Mapping[str, Any] | None = None,
    gone: str | None = None,
    read: str | None = None,
    read_many: Many | None = None,
    lists: Lists | None = None,
    lists_by: str | None = None,
    body: Mapping[str, Any] | None = None,
    create_body: Mapping[str, Any] | None = None,
    record: str = "",
    form: bool = False,
    auth: Signing = bearer,
    headers: Mapping[str, str] | None = None,
    idempotency: bool | str = True,
    deadline: float = 60.0,
    per_second: float | None = None,
    at_once: int = 4,
) -> RestDestination:
    """A SaaS API to write to, one request a row, as `rest_destination("crm", "POST /contacts",
    update="PATCH /contacts/{remote_id}", body={"email": "{email}"})`.

    Columns stand in braces, in paths and bodies; a text that is only one column keeps its type,
    and `{remote_id}` is the `id` in the answer to the create.

    Args:
        system: names `WFOPS_<SYSTEM>_URL` and `WFOPS_<SYSTEM>_TOKEN`.
        create: for rows that the API does not have. None: `update` creates, too.
        update: for rows that were delivered before. None: each row is created, as a message is.
        delete: for rows that are gone at the source.
        delete_body: what it sends, as {"archived": True} with "PATCH /pages/{remote_id}".
        gone: dotted path of the field by which a record says that it was deleted, where the API
            still answers with it: "archived" at Notion, "deleted" at Stripe.
        read: gets one record, for the difference that a reviewer sees and after a crash.
        read_many: `many(…)`, where the API reads several records at once; `read` is asked for those
            that it leaves out.
        lists: a source of the same system that lists every record, as `rest_api("crm", "/contacts",
            …)`: what `missing="delete"` and `delete_rows_up_to` count by. Only rows that this sync
            sent count, so what others made over there is never deleted.
        lists_by: dotted path of the row's key in such a record; None: by the API's own `id`.
        body: what create and update send, as JSON.
        create_body: what only `create` sends beside it, as {"parent": {"database_id": "0f3c"}}: it
            is neither compared nor updated.
        record: dotted path of the record in the answer to `read`; empty when the answer is it. A
            body may stand in the same envelope, as {"person": {"email": "{email}"}}.
        form: bodies are sent as forms, as Stripe wants them: `metadata[a]=1&items[0]=b`. A create
            leaves out what is null or empty, an update sends it as an empty text, which unsets it.
        auth: `bearer`, `basic`, `api_key("X-Key")` or `oauth2("/oauth/token")` of
            `wfops_pipelines.sources`.
        headers: sent with every request, as {"Notion-Version": "2022-06-28"}.
        idempotency: the API takes an `Idempotency-Key` (or the header that is named), so that a
            POST may be repeated. False: what may have arrived is never sent again by a machine.
        deadline: seconds that one answer may take in all, however it trickles in.
        per_second: how many requests a second the API takes at most; None: as many as it answers.
        at_once: how many requests that only read run side by side.

    Raises:
        ValueError: a request that is not a method and a path, neither create nor update, a time or
            a rate that is not above 0, `read_many` without `read`, `lists` that leave records out,
            a `create_body` or `delete_body` without what it needs, or a form's field with brackets
            in its name, or a brace that stands alone.
    """
    if read_many is not None and read is None:
        raise ValueError(f"{system}: read_many needs read= as well, for what it leaves out")
    if create is None and update is None:
        raise ValueError(f'{system}: say what is sent, as "POST /contacts" or update=…')
    if deadline <= 0 or (per_second is not None and per_second <= 0):
        raise ValueError(f"{system}: deadline and per_second must be above 0")
    _check_deletion(system, delete, delete_body, read, gone)
    if create_body is not None and create is None:
        raise ValueError(f'{system}: create_body needs a create, as "POST /contacts"')
    if form and (name := bracketed([body, create_body, delete_body])):
        raise ValueError(
            f'{system}: {name!r} cannot be a field of a form. Write {{"metadata": {{"a": …}}}} for '
            "metadata[a]; the brackets come by themselves"
        )
    _check_braces(system, [create, update, delete, read, body, create_body, delete_body])
    check_lists(system, lists)
    header = "Idempotency-Key" if idempotency is True else idempotency or None
    return RestDestination(
        system=system,
        create=call(create) if create else None,
        update=call(update) if update else None,
        delete=call(delete) if delete else None,
        delete_body=tuple((delete_body or {}).items()),
        gone=gone,
        read=call(read) if read else None,
        read_many=read_many,
        body=tuple((body or {}).items()),
        create_body=tuple((create_body or {}).items()),
        record=record,
        manners=Manners(
            auth, header, tuple((headers or {}).items()), deadline, per_second, at_once, form
        ),
        lists=lists,
        lists_by=lists_by,
    )


def _check_braces(system: str, texts: Any) -> None:
    try:
        _ = [*columns_in(texts)]
    except ValueError as error:
        raise ValueError(f"{system}: {error}") from None


def _check_deletion(
    system: str, delete: str | None, body: Mapping[str, Any] | None, read: str | None,
    gone: str | None,
) -> None:  # fmt: skip
    if body is None:
        return
    if delete is None:
        raise ValueError(f'{system}: delete_body needs delete=, as "PATCH /pages/{{remote_id}}"')
    if read is not None and gone is None:
        raise ValueError(
            f"{system}: a record that {delete} archives is still read. Name the field by which it "
            'says so, as gone="archived"'
        )
