from wfops_pipelines import Always, Policy, instant, rest_destination, sync, zendesk

from .assistants import ASSISTANTS


@sync(
    source=zendesk("support", "/api/v2/tickets.json"),
    key="ticket_id",
    cursor="updated_at",
    destination=rest_destination(
        "support",
        "POST /api/v2/tickets/{ticket_id}/comments",
        body={"comment": {"body": "{reply}", "public": True}},
    ),
    policy=Policy(
        high_impact=(Always("a message to a customer"),), reviewers="support", while_held="queue"
    ),
    schedule="*/30 * * * *",
    owners=["team:support"],
    assist=ASSISTANTS,
)
def support_replies(page):
    """First replies to open tickets: labelled, drafted, and each one approved by a person."""
    return [
        {
            "ticket_id": ticket["id"],
            "subject": ticket["subject"],
            "question": ticket["description"],
            "customer_name": ticket["requester"]["name"],
            "customer_email": ticket["requester"]["email"],
            "updated_at": instant(ticket["updated_at"]),
        }
        for ticket in page
        if ticket["status"] in ("new", "open")
    ]
