"""What customers write to support: topics, each with several ways of saying it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Topic:
    """A reason to write: its share of the tickets, its tags, and the sentences it is said in."""

    name: str
    share: float
    tags: tuple[str, ...]
    urgency: tuple[int, int, int, int]  # weights of low, normal, high, urgent
    subjects: tuple[str, ...]
    problems: tuple[str, ...]
    details: tuple[str, ...]
    asks: tuple[str, ...]


GREETINGS = (
    "Hi,", "Hello,", "Hi there,", "Hi team,", "Good morning,", "Dear support team,", "Hey,", "",
)  # fmt: skip
CLOSINGS = (
    "Thanks,\n{first}", "Best regards,\n{full}", "Thank you!\n{first}", "Kind regards,\n{full}",
    "Cheers,\n{first}", "Regards,\n{full}\n{company}", "Thanks in advance, {first}", "{first}",
)  # fmt: skip
PRODUCTS = (
    "the dashboard", "the mobile app", "the reporting page", "the admin console", "the API",
    "the import tool", "the calendar view", "the invoice page",
)  # fmt: skip
BROWSERS = ("Chrome", "Firefox", "Safari", "Edge")

TOPICS = (
    Topic(
        "login", 17, ("login", "account"), (5, 55, 32, 8),
        ("Can't log in", "Password reset mail never arrives", "Locked out of my account",
         "Login loop since this morning", "Two-factor code not accepted"),
        ("I can't get into {product} any more.",
         "When I enter my password I am sent straight back to the login page.",
         "I asked for a password reset three times and no mail arrives.",
         "My two-factor code is refused although the clock on my phone is right.",
         "My colleague left and the account is still tied to their phone."),
        ("It worked until {weekday}.", "I tried {browser} and a private window, same result.",
         "The address is {email}.", "Two other people in our team see the same.",
         "The page only says 'Something went wrong (code {code})'."),
        ("Could you reset it on your side?", "Can you unlock the account please?",
         "How do I get back in?", "Please tell me what else I can try."),
    ),
    Topic(
        "billing", 19, ("billing", "invoice"), (10, 62, 24, 4),
        ("Question about invoice {number}", "Charged twice?", "Wrong VAT number on the invoice",
         "Need a copy of our invoice", "Please change our billing address",
         "Invoice {number}: amount looks wrong"),
        ("Invoice {number} shows {amount} but we agreed on a lower price.",
         "I see two charges of {amount} on our card this month.",
         "Our VAT number is missing on invoice {number}, so accounting sends it back.",
         "We moved offices and the billing address is out of date.",
         "We paid invoice {number} by bank transfer, and it still shows as open."),
        ("The payment left our account on {weekday}.", "The last one was correct.",
         "Our contract is for {seats} seats.", "Our accountant closes the month on Friday.",
         "I attached the bank statement."),
        ("Can you send a corrected invoice?", "Could you refund the second charge?",
         "Please confirm that you received the payment.", "Who can explain the difference?"),
    ),
    Topic(
        "export", 10, ("export", "reports"), (18, 66, 14, 2),
        ("CSV export is empty", "Export stops at 10,000 rows", "Wrong characters in the export",
         "Scheduled report did not arrive"),
        ("The export from {product} comes back with only the header.",
         "Our CSV stops at row 10,000 although there are about {count} records.",
         "Accents in names turn into question marks in the export.",
         "The report that is sent every {weekday} did not arrive this week."),
        ("I used {browser}.", "The filter was 'last 90 days'.", "It takes about a minute.",
         "An export of one month works."),
        ("Is there a limit that I should know of?", "Can you run it for us this once?",
         "How can I get the whole file?", "Any idea when this is fixed?"),
    ),
    Topic(
        "api", 11, ("api", "developers"), (6, 52, 33, 9),
        ("API returns 500 for some records", "429 although we are under the limit",
         "Webhook delivered twice", "Breaking change in the API?"),
        ("GET /records answers 500 for about {count} of our ids.",
         "We get 429 at roughly {seats} requests a minute; the docs say 600.",
         "Since {weekday} each webhook reaches us twice with the same event id.",
         "The field 'owner' used to be a number and is now a string."),
        ("Request id: {code}.", "We did not deploy anything on our side.",
         "Retries with backoff do not help.", "It happens only in the EU region."),
        ("Could someone from engineering look at it?", "Was this announced somewhere?",
         "What should our client do?", "Please raise our limit for this week."),
    ),
    Topic(
        "outage", 8, ("outage", "performance"), (1, 16, 48, 35),
        ("Everything is very slow", "{Product} is down", "Timeouts since {weekday}",
         "Blank page after login"),
        ("{Product} takes more than a minute to load for all of us.",
         "We see error {code} on every page.",
         "Nobody in our {seats}-person team can save anything.",
         "Pages load, but saving ends in a timeout."),
        ("The status page says all is well.", "We are in the middle of our month-end.",
         "It started about an hour ago.", "Our customers are calling us about it."),
        ("Please call me back as soon as you know more.", "When will it be back?",
         "Is there a workaround?", "We need this today."),
    ),
    Topic(
        "howto", 18, ("howto",), (32, 62, 6, 0),
        ("How do I add a colleague?", "Is there a way to merge duplicates?",
         "Question about permissions", "How to change the default currency", "Training material?"),
        ("I would like to give a colleague read-only access to {product}.",
         "We imported the same list twice and now have about {count} duplicates.",
         "Our accountant should see invoices but nothing else.",
         "We opened an office abroad and need a second currency.",
         "Four new people start on {weekday}, and I am looking for training material."),
        ("I looked in the help centre and did not find it.", "We are on the Team plan.",
         "There are {seats} of us.", "I am an administrator."),
        ("Could you point me to the right page?", "What is the best way to do this?",
         "Is it possible without upgrading?", "A short answer is enough."),
    ),
    Topic(
        "feature", 9, ("feature_request",), (58, 40, 2, 0),
        ("Feature request: dark mode", "Could you add a filter by country?",
         "Suggestion for {product}", "Bulk edit would save us hours"),
        ("It would help us a lot if {product} had a filter by country.",
         "We edit about {count} records a week one by one.",
         "Half of our team works at night and would love a dark theme.",
         "A keyboard shortcut for saving would be wonderful."),
        ("A competitor has this.", "I know that others asked as well.",
         "We would happily test it.", "We are {seats} users."),
        ("Is this planned?", "Can I vote for it somewhere?", "Thanks for considering it."),
    ),
    Topic(
        "cancel", 8, ("cancellation", "retention"), (4, 48, 40, 8),
        ("Cancel our subscription", "We would like to downgrade", "Ending our contract",
         "Please delete our account"),
        ("We have decided to stop using the product at the end of the month.",
         "We only need {seats} seats from now on.",
         "Our company was bought and we have to move to the group's system.",
         "Please delete our account and all personal data, as the law lets us ask."),
        ("The renewal is due soon.", "The price went up too much for us.",
         "{Product} was not what our team needed.", "We were happy with your support, though."),
        ("Please confirm in writing.", "What is the notice period?",
         "Will we get {amount} back for the unused time?", "How do we export our data first?"),
    ),
)  # fmt: skip
