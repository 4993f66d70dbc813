"""What a browser could be tricked into sending never gets through."""

import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from wfops_pipelines.web.guard import Guard

JSON = {"content-type": "application/json"}
MUTATION = {"query": "mutation { launchRun { __typename } }"}


@pytest.fixture
def client():
    def answer(_):
        return PlainTextResponse("reached")

    methods = ["GET", "POST"]
    routes = [Route(p, answer, methods=methods) for p in ("/graphql", "/wfops", "/report_asset/x")]
    app = Starlette(routes=routes, middleware=[Middleware(Guard)])
    return TestClient(app, base_url="http://ui.example:3000")


def test_the_dagster_ui_itself_gets_through(client):
    origin = {"origin": "http://ui.example:3000", "sec-fetch-site": "same-origin"}
    assert client.post("/graphql", json=MUTATION, headers=origin).text == "reached"


def test_a_program_without_an_origin_gets_through(client):
    assert client.post("/graphql", json=MUTATION).status_code == 200


def test_a_query_in_a_link_is_refused(client):
    assert client.get("/graphql", params=MUTATION).status_code == 405


def test_a_form_post_is_refused(client):
    assert client.post("/graphql", params=MUTATION, data={"a": "b"}).status_code == 415


@pytest.mark.parametrize("content", ["text/plain", "application/graphql", ""])
def test_graphql_in_other_clothes_is_refused(client, content):
    headers = {"content-type": content}
    assert client.post("/graphql", content="mutation", headers=headers).status_code == 415


@pytest.mark.parametrize("path", ["/graphql", "/report_asset/x"])
@pytest.mark.parametrize("origin", ["http://evil.example", "http://ui.example:3001", "null"])
def test_a_post_from_another_site_is_refused(client, path, origin):
    headers = {**JSON, "origin": origin}
    assert client.post(path, content="{}", headers=headers).status_code == 403


def test_a_link_from_a_mail_may_open_a_page(client):
    headers = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate"}
    assert client.get("/wfops", headers=headers).status_code == 200


def test_a_foreign_page_may_not_load_ours_as_a_resource(client):
    headers = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "no-cors"}
    assert client.get("/wfops", headers=headers).status_code == 403
