"""A real HTTP server with contacts, which breaks when it is told to, and counts what it is sent."""

import json
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, parse_qsl, unquote

TOKEN = "s3cr3t-crm-token"


class Contacts:
    """What the server holds. `faults` are struck one a request, None for none:

    ("before" | "after", status, headers): answers this, before or after the work is done.
    "drop": closes the connection after the work. "hang": works and never answers, until `free`.
    "trickle": works and answers a byte now and then, until `free`.
    A record whose field `archived` was set is still read and listed, and cannot be changed.
    `rotate()` makes it want OAuth2: each refresh token is taken once, access tokens t1, t2, … count
    until `ended` has them.
    `wrapped`: bodies come as {"contact": {…}}, as Zendesk, Shopify and Rails want them.
    `spell`: how it answers a value that it holds; HubSpot answers each as a text.
    A write takes fields in its query too, as Trello does.
    """

    spell = None
    wrapped = False

    def __init__(self, keys):
        self.keys = keys  # whether it honours Idempotency-Key
        self.made = 0
        self.records, self.answered, self.asked, self.faults = {}, {}, [], []
        self.takes, self.ended, self.refresh, self.renewed = {TOKEN}, set(), None, 0
        self.headers, self.at_most, self.side_by_side = [], 10**9, None
        self.lock, self.reached, self.free = threading.Lock(), threading.Event(), threading.Event()

    def writes(self):
        return [a for a in self.asked if a[0] != "GET"]

    def rotate(self):
        self.takes, self.refresh = set(), "first-refresh-token"
        self.environ["WFOPS_CRM_TOKEN"] = "client:client-s3cr3t:first-refresh-token"

    def token(self, form):
        with self.lock:
            if form.get("refresh_token") != [self.refresh]:
                return 400, {"error": "invalid_grant", "was": form.get("refresh_token")}
            self.renewed += 1
            self.refresh = f"refresh-token-{self.renewed}"
            self.takes.add(f"t{self.renewed}")
            return 200, {"access_token": f"t{self.renewed}", "refresh_token": self.refresh}

    def work(self, method, path, body, key):
        with self.lock:
            if self.keys and key and key in self.answered:
                return self.answered[key]
            sent = (body or {}).get("contact") if self.wrapped and method != "GET" else body
            if method != "GET":
                path, _, query = path.partition("?")
                sent = {**(sent or {}), **dict(parse_qsl(query))}
            answer = self.done(method, path.strip("/").split("/"), sent)
            if self.spell:
                answer = answer[0], spelled(answer[1], self.spell)
            if key and answer[0] < 300:
                self.answered[key] = answer
            return answer

    def batch(self, ids):
        return 200, {"results": [self.records[i] for i in ids if i in self.records][: self.at_most]}

    def done(self, method, parts, body):
        if parts == ["contacts", "batch", "read"]:
            return self.batch([one["id"] for one in body["inputs"]])
        if method == "GET" and parts[-1].partition("?after=")[0] == "contacts":
            at = int(parts[0].partition("after=")[2] or 0)
            page = [*self.records.values()][at : at + 3]
            return 200, {"contacts": page, "next": at + 3 if at + 3 < len(self.records) else None}
        if parts[0].startswith("contacts?ids="):
            return self.batch(unquote(parts[0]).partition("=")[2].split(","))
        if method == "POST" and len(parts) == 1:
            if not str((body or {}).get("email", "")).count("@"):
                return 422, {"error": f"no e-mail: {(body or {}).get('email')}", "token": TOKEN}
            self.made += 1
            id = f"c{self.made}"
            self.records[id] = {"id": id, **body}
            return 201, {"contact": self.records[id]}
        id = parts[1] if len(parts) > 1 else ""
        if id not in self.records:
            return 404, {"error": "no such contact"}
        if self.records[id].get("archived") and method != "GET":
            return 400, {"error": f"{id} is archived and cannot be edited"}
        if method == "DELETE":
            return 204, self.records.pop(id) and None
        if method in ("PATCH", "PUT", "POST"):
            self.records[id].update(body)
        return 200, {"contact": self.records[id]}


def spelled(value, spell):
    if isinstance(value, dict):
        return {k: spelled(v, spell) for k, v in value.items()}
    return [spelled(v, spell) for v in value] if isinstance(value, list) else spell(value)


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        pass

    def act(self):
        api = self.server.contacts
        length = int(self.headers.get("content-length") or 0)
        content = self.rfile.read(length)
        if self.path == "/oauth/token":
            return self.answer(*api.token(parse_qs(content.decode())))
        body = json.loads(content) if length else None
        key = self.headers.get("idempotency-key")
        api.asked.append((self.command, self.path, body, key))
        api.headers.append(dict(self.headers))
        if api.side_by_side is not None and self.command == "GET":
            api.side_by_side.wait(60)
        if (
            self.headers.get("authorization", "").removeprefix("Bearer ")
            not in api.takes - api.ended
        ):
            return self.answer(401, {"error": f"wrong: {self.headers.get('authorization')}"})
        fault = api.faults.pop(0) if api.faults else None
        if fault and fault[0] == "before":
            return self.answer(fault[1], {"error": "broken"}, fault[2])
        status, answer = api.work(self.command, self.path, body, key)
        if fault == "hang":
            api.reached.set()
            api.free.wait(60)
        if fault == "trickle":
            return self.trickle(api)
        if fault in ("hang", "drop"):
            self.close_connection = True
            return None
        if fault:
            return self.answer(fault[1], {"error": "broken"}, fault[2])
        return self.answer(status, answer)

    def trickle(self, api):
        self.close_connection = True
        for byte in b"HTTP/1.1 200 OK\r\nX-Long: " + b"x" * 5000:
            if api.free.wait(0.02):
                return
            try:
                self.wfile.write(bytes([byte]))
            except OSError:
                return

    def answer(self, status, body, headers=()):
        content = b"" if body is None else json.dumps(body).encode()
        self.send_response(status)
        for name, value in dict(headers).items():
            self.send_header(name, value)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = act


@contextmanager
def contacts_api(*, keys=True, tls=None):
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    server.contacts = Contacts(keys)
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    server.contacts.environ = {
        "WFOPS_CRM_URL": f"http{'s' if tls else ''}://127.0.0.1:{server.server_port}",
        "WFOPS_CRM_TOKEN": TOKEN,
    }
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server.contacts
    finally:
        server.contacts.free.set()
        server.shutdown()
        server.server_close()
        thread.join()
