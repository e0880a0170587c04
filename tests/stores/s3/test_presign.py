"""Presigned URLs: the parameters and the signature that botocore gives the same request."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from unittest import mock
from urllib.parse import quote, unquote

import pytest
from botocore import auth
from botocore.auth import S3SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials as BotocoreCredentials
from hypothesis import given
from hypothesis import strategies as st

from blobmove.stores.s3.presign import Credentials, Presigner, encode_key

ACCESS, SECRET = "AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
NOW = datetime(2026, 11, 22, 3, 4, 5, tzinfo=UTC)
REGIONS = st.sampled_from(("us-east-1", "eu-central-1"))
KEYS = st.text(st.characters(codec="utf-8"), min_size=1, max_size=40)
TOKENS = st.none() | st.text("abcXYZ019+/=", min_size=1, max_size=60)
MOMENTS = st.datetimes(datetime(2020, 1, 1), datetime(2035, 12, 31)).map(lambda moment: moment.replace(tzinfo=UTC))
EXTRAS = st.fixed_dictionaries({}, optional={
    "versionId": st.text("abcDEF019._-", min_size=1, max_size=32) | st.just("null"),
    "partNumber": st.integers(1, 10_000).map(str),
    "x-amz-checksum-mode": st.just("ENABLED"),
    "x-amz-request-payer": st.just("requester"),
    "response-content-type": st.sampled_from(("text/html; charset=utf-8", "a+b c&d=e/ä%20")),
})


@contextmanager
def frozen(moment: datetime) -> Iterator[None]:
    """Let botocore sign at this moment."""
    with mock.patch.object(auth, "get_current_datetime", return_value=moment.replace(tzinfo=None)):
        yield


def botocores_query(
    method: str, url: str, extra: dict[str, str], region: str, token: str | None, moment: datetime, expires: int
) -> str:
    """The query string botocore signs for the same request."""
    request = AWSRequest(method=method, url=url, params=extra)
    with frozen(moment):
        S3SigV4QueryAuth(BotocoreCredentials(ACCESS, SECRET, token), "s3", region, expires).add_auth(request)
    return str(request.url).partition("?")[2]


@given(st.sampled_from(("GET", "HEAD")), KEYS, EXTRAS, REGIONS, TOKENS, MOMENTS, st.integers(1, 604_800))
def test_the_url_is_the_one_botocore_signs(
    method: str, key: str, extra: dict[str, str], region: str, token: str | None, moment: datetime, expires: int
) -> None:
    host, path = f"acme.s3.{region}.amazonaws.com", "/" + encode_key(key)
    signer = Presigner(Credentials(ACCESS, SECRET, token), region, host)
    ours = signer.query(method, path, list(extra.items()), now=moment.timestamp(), expires=expires)
    theirs = botocores_query(method, f"https://{host}{path}", extra, region, token, moment, expires)
    assert signature(ours) == signature(theirs)
    assert sorted(ours.split("&")) == sorted(theirs.split("&"))


def signature(query: str) -> str:
    return query.rpartition("X-Amz-Signature=")[2]


@pytest.mark.parametrize("key", [
    "a b+c&d=é/%41", "a//b", "../x", "x/.", "~tilde*star(1)!'", "\x01", "emoji 📷", "\n", "100%",
])
def test_odd_keys_on_a_host_with_a_port_in_path_style(key: str) -> None:
    path = f"/bucket/{encode_key(key)}"
    ours = Presigner(Credentials(ACCESS, SECRET), "us-east-1", "127.0.0.1:5000").query("GET", path, now=NOW.timestamp())
    theirs = botocores_query("GET", f"http://127.0.0.1:5000{path}", {}, "us-east-1", None, NOW, 3600)
    assert ours == theirs


def test_what_is_kept_of_signed_headers_has_a_bound_and_changes_no_signature() -> None:
    """Bodies pulled by parts sign a range each: a run of millions must not keep a line for every one of them."""
    signer = Presigner(Credentials(ACCESS, SECRET), "us-east-1", "h")
    for number in [*range(1000), *range(1000)]:
        headers = [("x-amz-checksum-mode", "ENABLED"), ("x-amz-meta-number", str(number))]
        fresh = Presigner(Credentials(ACCESS, SECRET), "us-east-1", "h")
        ours = signer.query("PUT", "/k", (), headers, now=NOW.timestamp())
        assert ours == fresh.query("PUT", "/k", (), headers, now=NOW.timestamp())
    assert 0 < len(signer._signed) <= 16


def test_one_signer_signs_across_midnight() -> None:
    signer = Presigner(Credentials(ACCESS, SECRET), "us-east-1", "h")
    for moment in (NOW, NOW.replace(second=6), NOW.replace(day=23), NOW):
        fresh = Presigner(Credentials(ACCESS, SECRET), "us-east-1", "h")
        assert signer.query("GET", "/k", now=moment.timestamp()) == fresh.query("GET", "/k", now=moment.timestamp())


def test_without_a_moment_it_is_now() -> None:
    before = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    query = Presigner(Credentials(ACCESS, SECRET), "us-east-1", "h").query("GET", "/k")
    told = query.partition("X-Amz-Date=")[2][:16]
    assert before <= told <= datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")


@given(KEYS)
def test_a_key_is_encoded_once_and_nothing_is_normalised(key: str) -> None:
    encoded = encode_key(key)
    assert encoded.isascii()
    assert unquote(encoded, errors="strict") == key
    assert encoded == quote(key, safe="/-_.~")


def test_the_repr_of_credentials_shows_no_secret() -> None:
    text = repr(Credentials(ACCESS, SECRET, "a-session-token"))
    assert text == "Credentials(AKIA..., token=yes)"
    assert repr(Credentials(ACCESS, SECRET)).endswith("token=no)")
