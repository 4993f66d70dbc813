"""A real SMTP server and a real HTTP receiver on loopback."""

import json
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from aiosmtpd.controller import Controller

from wfops_pipelines.dev.ports import free_port


@dataclass
class Mailbox:
    """What an SMTP server has taken; `refuse` makes it answer 451."""

    refuse: bool = False
    mails: list = field(default_factory=list)
    address: str = ""

    async def handle_DATA(self, server, session, envelope):
        if self.refuse:
            return "451 try again later"
        mail = message_from_bytes(envelope.content, policy=policy.default)
        self.mails.append((envelope.rcpt_tos, mail))
        return "250 OK"


@contextmanager
def mailbox():
    box = Mailbox()
    controller = Controller(box, hostname="127.0.0.1", port=free_port())
    controller.start()
    try:
        port = controller.server.sockets[0].getsockname()[1]
        box.address = (
            f"mailto://127.0.0.1:{port}?from=wfops@example.com&to=team@example.com&mode=insecure"
        )
        yield box
    finally:
        controller.stop()


@dataclass
class Webhook:
    """What an HTTP server has taken; `status` is its answer."""

    status: int = 200
    bodies: list = field(default_factory=list)
    address: str = ""
    news: threading.Condition = field(default_factory=threading.Condition)

    def hear(self, text: str, patience: float = 120) -> None:
        """Wait until a message with this text has come; AssertionError when none does."""
        with self.news:
            assert self.news.wait_for(lambda: text in json.dumps(self.bodies), patience), text


@contextmanager
def webhook():
    hook = Webhook()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if hook.status == 200:
                with hook.news:
                    hook.bodies.append(json.loads(body))
                    hook.news.notify_all()
            self.send_response(hook.status)
            self.end_headers()

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        hook.address = f"json://user:s3cret-token@127.0.0.1:{server.server_port}/hook"
        yield hook
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
