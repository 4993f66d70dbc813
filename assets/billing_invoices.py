from wfops_pipelines import Above, Policy, Route, instant, stripe, sync, table


@sync(
    source=stripe("billing", "/v1/invoices"),
    key="id",
    cursor="updated_at",
    destination=table("billing.invoices"),
    policy=Policy(
        high_impact=(Above("amount_due", 500_000, "an invoice above 5,000.00"),),
        false_holds=0.02,
        reviewers="finance",
        routes=(Route("data", check="anomaly"), Route("data", failure="schema")),
    ),
    schedule="5 * * * *",
    owners=["team:finance"],
)
def billing_invoices(page):
    """Invoices from billing; amounts are in minor units (cents)."""
    return [
        {
            "id": invoice["id"],
            "number": invoice["number"],
            "customer_id": invoice["customer"],
            "customer_email": invoice["customer_email"],
            "amount_due": invoice["amount_due"],
            "amount_paid": invoice["amount_paid"],
            "currency": invoice["currency"],
            "status": invoice["status"],
            "created_at": instant(invoice["created"]),
            "updated_at": instant(invoice["updated"]),
        }
        for invoice in page
    ]
