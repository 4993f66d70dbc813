"""Nothing secret gets into the audit trail by way of an argument."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wfops_pipelines.core.redact import HIDDEN, MOST, redacted, secrets_of

ENVIRON = {
    "WFOPS_CRM_TOKEN": "tok-123456789",
    "WFOPS_POSTGRES_URL": "postgresql://app:hunter22@db/x",
    "LANG": "C.UTF-8",
}


@pytest.mark.parametrize(
    "name",
    ["password", "apiKey", "client_secret", "Authorization", "db_passwd", "x-api-key", "dsn"],
)
def test_a_value_whose_name_says_secret_is_hidden(name):
    assert redacted({"config": [{name: {"deep": "s3cret"}}]}) == {"config": [{name: HIDDEN}]}


def test_a_tag_whose_key_says_secret_is_hidden_and_others_are_kept():
    tags = [{"key": "api_token", "value": "s3cret"}, {"key": "team", "value": "crm"}]
    assert redacted(tags) == [
        {"key": "api_token", "value": HIDDEN},
        {"key": "team", "value": "crm"},
    ]


@given(st.text(max_size=20), st.text(max_size=20))
def test_a_secret_of_the_environment_is_hidden_wherever_it_stands(before, after):
    secrets = secrets_of(ENVIRON)
    said = json.dumps(redacted({"reason": f"{before}tok-123456789{after} hunter22"}, secrets))
    assert "tok-123456789" not in said
    assert "hunter22" not in said


def test_a_password_in_an_address_is_hidden():
    assert redacted("see https://bob:pw@host/x") == f"see https://bob:{HIDDEN}@host/x"


def test_cells_of_rows_are_hidden_as_they_may_be_masked():
    assert redacted({"edits": [{"key": 1, "set": {"email": "a@b"}}]}) == {"edits": HIDDEN}


def test_of_much_only_the_digest_is_kept():
    kept = redacted({"x": "y" * (MOST + 1)})
    assert set(kept) == {"bytes", "sha256"}
