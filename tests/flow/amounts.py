"""Pages of rows whose amounts a test chooses."""

from datetime import UTC, datetime, timedelta


def page(number, *amounts):
    """Rows that nothing but their amounts makes odd."""
    moment = datetime(2026, 5, 1, 9, tzinfo=UTC) + timedelta(hours=number)
    some = amounts or (10 + number % 3, 11, 12)
    return [
        {"id": f"{number}-{i}", "name": "a name", "amount": amount, "updated_at": moment}
        for i, amount in enumerate(some)
    ]
