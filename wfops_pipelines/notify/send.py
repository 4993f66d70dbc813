"""Send by Apprise, which speaks chat, e-mail and webhook, and tell whether it arrived."""

from __future__ import annotations

import hashlib
import logging
from urllib.parse import urlsplit

from wfops_pipelines.notify.compose import Message


def send(url: str, message: Message) -> str | None:
    """Send to one address; None when it was taken, else in a few words what went wrong.

    Neither the words nor any log hold the address: it carries passwords and tokens.
    """
    import apprise

    logging.getLogger("apprise").setLevel(logging.CRITICAL + 1)
    target = apprise.Apprise()
    try:
        if not target.add(url):
            return f"{kind_of(url)}: the address is not understood"
        taken = target.notify(
            title=message.title, body=message.body, body_format=apprise.NotifyFormat.TEXT
        )
    except Exception as error:
        return f"{kind_of(url)}: {type(error).__name__}"
    return None if taken else f"{kind_of(url)}: refused, or not reached"


def kind_of(url: str) -> str:
    """The kind of an address, as `mailtos` or `slack`: all of it that may be shown."""
    scheme = urlsplit(url).scheme
    return scheme if scheme.isalnum() and len(scheme) <= 20 else "address"


def digest_of(url: str) -> str:
    """What an address is remembered by."""
    return hashlib.sha256(url.encode("utf-8", "surrogatepass")).hexdigest()[:16]
