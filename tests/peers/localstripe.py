"""localstripe, a server like Stripe's that nobody here wrote: a process of its own on loopback."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
TOKEN = "sk_test_12345"
# Its own command line listens everywhere and keeps a pickle in /tmp: neither here.
SERVE = """
import socket
from aiohttp import web
from localstripe import resources, server
resources.Store.dump_to_disk = lambda self: None
here = socket.create_server(("127.0.0.1", 0))
print(here.getsockname()[1], flush=True)
web.run_app(server.app, sock=here, print=None)
"""


@contextmanager
def localstripe() -> Iterator[str]:
    """Its address; `scripts/peer` gives it an environment of its own."""
    made = subprocess.run(
        [ROOT / "scripts/peer", "localstripe"], stdout=subprocess.PIPE, text=True, check=True
    )
    with subprocess.Popen(
        [made.stdout.strip(), "-c", SERVE], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        yield f"http://127.0.0.1:{int(process.stdout.readline())}"
        process.terminate()
