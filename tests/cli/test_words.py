"""Addresses and amounts as they are typed."""

from __future__ import annotations

import pytest

from blobmove.cli.words import (
    Unfit,
    parse_address,
    parse_concurrency,
    parse_destination,
    parse_percent,
    parse_source,
)
from blobmove.core.model import Destination, Source
from blobmove.core.settings import Address


@pytest.mark.parametrize(("text", "source"), [
    ("s3://uploads", Source("uploads")),
    ("s3://uploads/", Source("uploads")),
    ("s3://my.bucket/a/b/", Source("my.bucket", "a/b/")),
    ("s3://uploads//x", Source("uploads", "/x")),
])
def test_a_source_keeps_its_prefix_as_it_is(text: str, source: Source) -> None:
    assert parse_source(text) == source


@pytest.mark.parametrize("text", ["uploads", "https://uploads.s3.amazonaws.com", "s3://", "s3:///x", "s3://a b", "s3://arn:aws:x"])
def test_what_is_no_bucket_is_answered_with_the_right_form(text: str) -> None:
    with pytest.raises(Unfit) as caught:
        parse_source(text)
    assert "s3://BUCKET" in str(caught.value.hint)


@pytest.mark.parametrize(("text", "account", "container"), [
    ("https://acme.blob.core.windows.net/uploads", "https://acme.blob.core.windows.net", "uploads"),
    ("https://Acme.blob.core.windows.net/uploads/", "https://acme.blob.core.windows.net", "uploads"),
    ("http://127.0.0.1:10000/devstoreaccount1/uploads", "http://127.0.0.1:10000/devstoreaccount1", "uploads"),
    ("http://localhost:10000/devstoreaccount1/uploads", "http://localhost:10000/devstoreaccount1", "uploads"),
    ("http://azurite:10000/devstoreaccount1/uploads", "http://azurite:10000/devstoreaccount1", "uploads"),
    ("http://[::1]:10000/devstoreaccount1/uploads", "http://[::1]:10000/devstoreaccount1", "uploads"),
    ("https://files.acme.example/$web", "https://files.acme.example", "$web"),
])
def test_a_destination_is_account_and_container(text: str, account: str, container: str) -> None:
    assert parse_destination(text) == Destination(account, container)


@pytest.mark.parametrize(("text", "what", "hint"), [
    ("https://a.blob.core.windows.net", "names no container", "https://a.blob.core.windows.net/CONTAINER"),
    ("http://127.0.0.1:10000/devstoreaccount1", "names no container", "devstoreaccount1/CONTAINER"),
    ("https://a.blob.core.windows.net/my.files", "only a-z", "https://a.blob.core.windows.net/my-files"),
    ("https://a.blob.core.windows.net/c01/prefix", "there is no prefix", "https://a.blob.core.windows.net/c01"),
    ("https://a.dfs.core.windows.net/c01", "Data Lake", "https://a.blob.core.windows.net/c01"),
    ("http://a.blob.core.windows.net/c01", "https only", "https://ACCOUNT"),
    ("azure://a/c01", "no address", "https://ACCOUNT"),
    ("acme/uploads", "no address", "https://ACCOUNT"),
])
def test_a_wrong_destination_is_answered_with_one_that_works(text: str, what: str, hint: str) -> None:
    with pytest.raises(Unfit) as caught:
        parse_destination(text)
    assert what in str(caught.value)
    assert hint in str(caught.value.hint)


def test_a_sas_in_the_destination_is_refused_and_not_repeated() -> None:
    with pytest.raises(Unfit) as caught:
        parse_destination("https://a.blob.core.windows.net/c01?sv=2021&sig=SECRETVALUE")
    assert "SECRETVALUE" not in f"{caught.value} {caught.value.hint}"
    assert "AZURE_STORAGE_SAS_TOKEN" in str(caught.value.hint)


def test_concurrency_is_auto_or_a_number() -> None:
    assert parse_concurrency("auto") is None
    assert parse_concurrency("64") == 64
    for text in ("0", "-1", "many", "4097", "²"):
        with pytest.raises(Unfit):
            parse_concurrency(text)


def test_a_sample_is_a_percentage_above_nothing() -> None:
    assert parse_percent("5%") == 5.0
    for text in ("0", "101", "few", "nan"):
        with pytest.raises(Unfit):
            parse_percent(text)


@pytest.mark.parametrize(("text", "address"), [
    ("127.0.0.1:9464", Address("127.0.0.1", 9464)),
    ("localhost:0", Address("localhost", 0)),
    ("[::1]:65535", Address("::1", 65535)),
])
def test_an_address_to_listen_at_is_host_and_port_and_written_as_it_was_typed(text: str, address: Address) -> None:
    assert parse_address(text) == address
    assert str(address) == text


@pytest.mark.parametrize("text", [
    "9464", ":9464", "127.0.0.1", "127.0.0.1:", "127.0.0.1:65536", "::1:9464", "http://127.0.0.1:9464", "*:9464",
    "u:p@127.0.0.1:9464", "127.0.0.1:9464/metrics",
])
def test_what_is_no_address_to_listen_at_is_answered_with_one_that_works(text: str) -> None:
    with pytest.raises(Unfit) as caught:
        parse_address(text)
    assert "--metrics-addr 127.0.0.1:9464" in str(caught.value.hint)
