"""Messages to people by chat, e-mail or webhook. A message carries a link, and no power.

    page = compose(items, base="https://data.example.com", template=None)
    send(url, page)          # any address that Apprise knows: mailtos://…, slack://…, json://…

Nothing is read from or written to the database here.
"""

from wfops_pipelines.notify.compose import Item, Message, compose
from wfops_pipelines.notify.send import digest_of, kind_of, send

__all__ = ["Item", "Message", "compose", "digest_of", "kind_of", "send"]
