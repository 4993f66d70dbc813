"""The extraction itself, on dlt's REST client: no pipeline, no state, no configuration files."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from wfops_pipelines.apis.connection import Connection
from wfops_pipelines.apis.signing import Signer
from wfops_pipelines.apis.window import Window
from wfops_pipelines.core.redact import is_secret_name
from wfops_pipelines.sources.answers import parse_once, refuse_status, translated
from wfops_pipelines.sources.failures import Asked
from wfops_pipelines.sources.insisting import insisting, plain_patience, posting
from wfops_pipelines.sources.paginators import paginator
from wfops_pipelines.sources.rest import RestSource
from wfops_pipelines.sources.trail import Records, Trail

if TYPE_CHECKING:
    from dlt.sources.helpers.rest_client.client import PageData, RESTClient
    from requests import Response


def extract(source: RestSource, window: Window, connection: Connection) -> Iterator[Records]:
    """Yield the pages of `source` in `window`; the errors are those of `RestSource.pages`."""
    asked = Asked(
        source.system, source.path, source.retries.attempts, connection.token, source.method
    )
    asked.hide(*(v for name, v in (*source.params, *source.headers) if is_secret_name(name)))
    client = _client(source, connection, asked)
    trail = Trail(source, window, connection, asked)
    try:
        for page in _dlt_pages(client, source, window, asked):
            yield trail.follow(page)
            if trail.ended:
                return
    finally:
        client.session.close()


def _dlt_pages(
    client: RESTClient, source: RestSource, window: Window, asked: Asked
) -> Iterator[PageData[Any]]:
    from dlt.common.jsonpath import compile_path

    def check(response: Response, *_: Any, **__: Any) -> None:
        content = response.content  # read before refusing, so that the connection is given back
        plain_patience(response)
        asked.saw(response.request, response)
        refuse_status(response, asked)
        parse_once(response, content)

    pages = client.paginate(
        source.path,
        source.method,  # type: ignore[arg-type]
        params=source.query(window),
        json=source.search(window),
        paginator=paginator(source.paging, in_body=source.body is not None),
        data_selector=compile_path(source.records or "$"),  # dlt would parse it for every page
        hooks={"response": [check]},
        # A redirect could lead the token anywhere.
        allow_redirects=False,
    )
    with translated(asked):
        yield from pages


def _client(source: RestSource, connection: Connection, asked: Asked) -> RESTClient:
    from dlt.common.configuration.specs import RuntimeConfiguration
    from dlt.sources.helpers.rest_client.client import RESTClient

    # Given outright, so that dlt looks for no configuration files.
    quiet = RuntimeConfiguration(dlthub_telemetry=False)
    manners = (source.timeout, source.deadline, source.retries)
    auth: Any = Signer(source.auth, connection, asked, posting(*manners))
    headers = dict(source.headers)
    return RESTClient(
        connection.base_url, headers, auth=auth, session=insisting(*manners), config=quiet
    )
