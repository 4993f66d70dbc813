"""Behind a sign-in proxy, the proxy alone says who somebody is."""

import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from wfops_pipelines.core.reviews import Actor
from wfops_pipelines.errors import NotAllowed
from wfops_pipelines.identity import requester
from wfops_pipelines.web.guard import Guard

ENVIRON = {"WFOPS_PROXY_SECRET": "s3cret-of-the-proxy"}
VOUCHED = {"X-Wfops-Proxy-Secret": "s3cret-of-the-proxy", "X-Forwarded-User": "ana"}


@pytest.fixture
def client():
    def answer(_):
        return PlainTextResponse("reached")

    routes = [
        Route(p, answer, methods=["GET", "POST"]) for p in ("/graphql", "/wfops", "/server_info")
    ]
    app = Starlette(routes=routes, middleware=[Middleware(Guard, environ=ENVIRON)])
    return TestClient(app, base_url="http://ui.example:3000")


def test_a_person_whom_the_proxy_vouches_for_is_verified():
    assert requester(VOUCHED.get, ENVIRON) == Actor("ana", verified=True)


def test_without_a_proxy_no_header_makes_anybody_somebody():
    assert requester(VOUCHED.get, {}) == Actor("developer")
    assert requester(VOUCHED.get, {"WFOPS_DEVELOPER": "bob"}) == Actor("bob")


def test_the_header_that_names_the_person_can_be_another():
    environ = {**ENVIRON, "WFOPS_IDENTITY_HEADER": "X-Auth-Email"}
    headers = {**VOUCHED, "X-Auth-Email": "bob@shop.example"}
    assert requester(headers.get, environ).name == "bob@shop.example"


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"X-Forwarded-User": "ana"},
        {**VOUCHED, "X-Wfops-Proxy-Secret": ""},
        {**VOUCHED, "X-Wfops-Proxy-Secret": "s3cret-of-the-prox"},
        {**VOUCHED, "X-Wfops-Proxy-Secret": "gehéim"},
        {**VOUCHED, "X-Forwarded-User": ""},
        {**VOUCHED, "X-Forwarded-User": " ana"},
        {**VOUCHED, "X-Forwarded-User": "ana|1"},
        {**VOUCHED, "X-Forwarded-User": "a\nna"},
        {**VOUCHED, "X-Forwarded-User": "a" * 121},
    ],
)
def test_anybody_else_is_nobody(headers):
    with pytest.raises(NotAllowed, match="you may not"):
        requester(headers.get, ENVIRON)


@pytest.mark.parametrize("method", ["get", "post"])
@pytest.mark.parametrize("path", ["/graphql", "/wfops"])
def test_who_does_not_come_through_the_proxy_gets_nothing(client, method, path):
    sent = {"json": {}} if method == "post" else {}
    assert getattr(client, method)(path, **sent).status_code == 403
    assert (
        getattr(client, method)(path, headers={"X-Forwarded-User": "ana"}, **sent).status_code
        == 403
    )
    assert getattr(client, method)(path, headers=VOUCHED, **sent).text == "reached"


def test_a_second_name_beside_the_proxys_is_refused(client):
    twice = [*VOUCHED.items(), ("X-Forwarded-User", "admin")]
    answer = client.get("/wfops", headers=twice)
    assert answer.status_code == 403
    assert "came twice" in answer.text


def test_whether_the_server_is_up_may_be_asked_by_anyone(client):
    assert client.get("/server_info").status_code == 200


def test_a_websocket_from_beside_the_proxy_is_closed(client):
    from starlette.websockets import WebSocketDisconnect

    with pytest.raises(WebSocketDisconnect), client.websocket_connect("/graphql"):
        pass
