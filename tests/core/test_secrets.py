"""The last net: nothing that opens a door gets out."""

from __future__ import annotations

import pytest

from blobmove.core.secrets import is_secret_name, redact


@pytest.mark.parametrize("text", [
    "https://b.s3.amazonaws.com/k?X-Amz-Signature=SECRETVALUE&X-Amz-Date=2026",
    "https://b.s3.amazonaws.com/k?X-Amz-Credential=SECRETVALUE%2F2026&x=1",
    "https://b/k?x-amz-security-token=SECRETVALUE",
    "headers {'X-Amz-Security-Token': 'SECRETVALUE'}",
    "https://a.blob.core.windows.net/c/b?sv=2021&sig=SECRETVALUE%3D",
    "error sending request for url (https://a/c?sp=r&sig=SECRETVALUE)",
    "https%3A%2F%2Fb%2Fk%3FX-Amz-Signature%3DSECRETVALUE",
    "DefaultEndpointsProtocol=https;AccountName=a;AccountKey=SECRETVALUE==;EndpointSuffix=x",
    "Authorization: SharedKey account:SECRETVALUE1234=",
    "Authorization: Bearer SECRETVALUE.SECRETVALUE",
    "mysql2://rails:SECRETVALUE@db.internal/acme",
    "mysql2://rails:p@SECRETVALUE@db.internal/acme",
    "password=SECRETVALUE",
    "AWS_SECRET_ACCESS_KEY=SECRETVALUE",
])
def test_secrets_are_masked_and_the_rest_stays_readable(text: str) -> None:
    clean = redact(text)
    assert "SECRETVALUE" not in clean
    assert "REDACTED" in clean
    assert clean.split("REDACTED")[0] == text.split("SECRETVALUE")[0].removesuffix("p@")


@pytest.mark.parametrize("text", [
    "s3://bucket/design=3/signature.pdf", "https://a.blob.core.windows.net/uploads/key", "the design of sign=1",
    "mysql2://rails@db/acme", "token bucket", "E403-SOURCE AccessDenied",
])
def test_what_is_no_secret_is_left_alone(text: str) -> None:
    assert redact(text) == text


def test_known_secrets_are_masked_wherever_they_turn_up() -> None:
    assert redact("it said wJalrXUtnFEMI here", ["wJalrXUtnFEMI", "x"]) == "it said REDACTED here"


def test_names_of_secrets_are_recognised() -> None:
    for name in ("password", "account_key", "sas-token", "connection_string", "aws_secret_access_key", "key"):
        assert is_secret_name(name), name
    for name in ("keys", "monkey", "bucket", "throttle_file"):
        assert not is_secret_name(name), name
