"""Sources: pages of records from SaaS systems. Importing this loads no framework."""

from wfops_pipelines.apis.connection import (
    Auth,
    Connection,
    OAuth2,
    api_key,
    basic,
    bearer,
    connection_for,
    no_auth,
    oauth2,
)
from wfops_pipelines.apis.window import TimeFormat, Window
from wfops_pipelines.sources.files import FileSource, files
from wfops_pipelines.sources.nested import flatten
from wfops_pipelines.sources.paging import (
    CursorPaging,
    HeaderCursorPaging,
    HeaderLinkPaging,
    LinkPaging,
    OffsetPaging,
    PageNumberPaging,
    Paging,
    SinglePage,
)
from wfops_pipelines.sources.presets import (
    github,
    hubspot,
    hubspot_search,
    notion,
    salesforce,
    stripe,
    zendesk,
)
from wfops_pipelines.sources.rest import RestSource, Retries, rest_api
from wfops_pipelines.sources.sql import SqlSource, sql_table

__all__ = [
    "Auth",
    "Connection",
    "CursorPaging",
    "FileSource",
    "HeaderCursorPaging",
    "HeaderLinkPaging",
    "LinkPaging",
    "OAuth2",
    "OffsetPaging",
    "PageNumberPaging",
    "Paging",
    "RestSource",
    "Retries",
    "SinglePage",
    "SqlSource",
    "TimeFormat",
    "Window",
    "api_key",
    "basic",
    "bearer",
    "connection_for",
    "files",
    "flatten",
    "github",
    "hubspot",
    "hubspot_search",
    "no_auth",
    "notion",
    "oauth2",
    "rest_api",
    "salesforce",
    "sql_table",
    "stripe",
    "zendesk",
]
