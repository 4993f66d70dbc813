from wfops_pipelines import Always, Policy, instant, rest_destination, sync, zendesk

REPLY = (
    "Hello {name},\n\nthank you for writing to us about “{subject}”. "
    "We are looking into it and will come back to you within one working day.\n\n"
    "Kind regards\nThe support team"
)


@sync(
    source=zendesk("support", "/api/v2/tickets.json"),
    key="ticket_id",
    cursor="updated_at",
    destination=rest_destination(
        "support",
        "/api/v2/tickets/{ticket_id}/comments",
        body={"comment": {"body": "{reply}", "public": True}},
    ),
    policy=Policy(
        high_impact=(Always("a message to a customer"),), reviewers="support", while_held="queue"
    ),
    schedule="*/30 * * * *",
    owners=["team:support"],
)
def support_replies(page):
    """First replies to open tickets, drafted from a template; each one is approved by a person."""
    return [
        {
            "ticket_id": ticket["id"],
            "subject": ticket["subject"],
            "customer_name": ticket["requester"]["name"],
            "customer_email": ticket["requester"]["email"],
            "reply": REPLY.format(name=ticket["requester"]["name"], subject=ticket["subject"]),
            "updated_at": instant(ticket["updated_at"]),
        }
        for ticket in page
        if ticket["status"] in ("new", "open")
    ]
