"""What is proposed for a new ticket, and from what. A person accepts each of it."""

from pathlib import Path

from wfops_pipelines.assist import classify, draft, rows_of

HERE = Path(__file__).parent
CUSTOMER = rows_of(
    "crm.contacts",
    match={"email": "customer_email"},
    columns=("first_name", "company", "lifecycle_stage"),
    limit=1,
)
OPEN_INVOICES = rows_of(
    "billing.invoices",
    match={"customer_email": "customer_email"},
    where={"status": "open"},
    columns=("number", "amount_due", "amount_paid", "currency"),
)
ASSISTANTS = (
    classify("topic", text=("subject", "question"), seed=HERE / "topics.jsonl"),
    classify("urgency", text=("subject", "question"), seed=HERE / "urgency.jsonl"),
    draft(
        "reply",
        template=HERE / "reply.jinja",
        context={"customer": CUSTOMER, "invoices": OPEN_INVOICES},
        task="Write the first reply of our support team to this ticket, in its language.",
        name="customer_name",
    ),
)
