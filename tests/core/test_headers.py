"""Headers: what S3 says about an object arrives at the blob, and what cannot is noted."""

from __future__ import annotations

import re
import string
from base64 import b64decode
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blobmove.core.headers import (
    METADATA_LIMIT,
    BlobProperties,
    MetadataNames,
    MetadataRefused,
    blob_properties,
    object_headers,
)

RENAME, DROP, REFUSE = MetadataNames.RENAME, MetadataNames.DROP, MetadataNames.REFUSE


def meta(names: dict[str, str], policy: MetadataNames = RENAME) -> tuple[dict[str, str], tuple[str, ...]]:
    properties, notes = blob_properties({f"x-amz-meta-{name}": value for name, value in names.items()}, policy)
    return dict(properties.metadata), notes


def properties_of(**headers: str) -> tuple[BlobProperties, tuple[str, ...]]:
    return blob_properties({name.replace("_", "-"): value for name, value in headers.items()}, RENAME)


def test_all_five_content_headers_arrive() -> None:
    assert properties_of(
        content_type="testctype", content_encoding="testenc", content_disposition="testcdis",
        content_language="testclang", cache_control="testcc",
    ) == (BlobProperties("testctype", "testenc", "testclang", "testcdis", "testcc"), ())  # fmt: skip


def test_an_object_without_headers_sets_nothing() -> None:
    assert blob_properties({}, RENAME) == (BlobProperties(), ())
    assert properties_of(content_type="", content_disposition="") == (BlobProperties(), ())


@pytest.mark.parametrize("value", ["image/webp", "text/html; charset=utf-8"])
def test_the_content_type_is_kept_as_it_is(value: str) -> None:
    assert properties_of(content_type=value)[0].content_type == value


@pytest.mark.parametrize(("stored", "kept"), [
    ("aws-chunked,gzip", "gzip"), ("aws-chunked", None), ("gzip, aws-chunked", "gzip"),
    ("br,aws-chunked,gzip", "br, gzip"),
])
def test_aws_chunked_is_an_artefact_of_the_upload(stored: str, kept: str | None) -> None:
    properties, notes = properties_of(content_encoding=stored)
    assert properties.content_encoding == kept
    assert notes == ("aws-chunked-removed",)


def test_a_file_name_outside_ascii_is_written_as_rfc_5987_says() -> None:
    properties, notes = properties_of(content_disposition='attachment; filename="naïve.pdf"; size=7')
    assert properties.content_disposition == (
        "attachment; filename=\"na_ve.pdf\"; filename*=UTF-8''na%C3%AFve.pdf; size=7"
    )
    assert notes == ("header-encoded",)


def test_a_file_name_that_is_given_twice_stays_given_twice() -> None:
    value = "inline; filename=\"naïve.pdf\"; filename*=UTF-8''na%C3%AFve.pdf"
    properties, _ = properties_of(content_disposition=value)
    assert properties.content_disposition == "inline; filename=\"na_ve.pdf\"; filename*=UTF-8''na%C3%AFve.pdf"


def test_an_escaped_quote_in_a_file_name_is_a_quote() -> None:
    properties, _ = properties_of(content_disposition=r'inline; filename="\"ä\".pdf"')
    assert (properties.content_disposition or "").endswith("filename*=UTF-8''%22%C3%A4%22.pdf")


def test_a_disposition_outside_ascii_without_a_quoted_name_is_percent_encoded() -> None:
    properties, notes = properties_of(content_disposition="inline; filename=ä.pdf")
    assert properties.content_disposition == "inline; filename=%C3%A4.pdf"
    assert notes == ("header-encoded",)


@given(st.text(min_size=1, max_size=30).filter(lambda text: not any("\ud800" <= c <= "\udfff" for c in text)))
def test_every_header_is_ascii_on_the_wire_and_can_be_read_back(name: str) -> None:
    properties, _ = properties_of(
        content_type=name, cache_control=name, content_disposition=f'attachment; filename="{name}"',
        x_amz_meta_title=name,
    )  # fmt: skip
    for value in (properties.content_type, properties.content_disposition, *dict(properties.metadata).values()):
        assert value is not None
        assert value.isascii()
    if not name.isascii():
        assert unquote(properties.content_type or "") == unquote(name)


@pytest.mark.parametrize(("header", "value", "note"), [
    ("x-amz-website-redirect-location", "/other", "redirect-lost"),
    ("expires", "Thu, 01 Dec 2030 16:00:00 GMT", "expires-lost"),
    ("x-amz-tagging-count", "2", "tags-not-copied"),
])
def test_what_azure_has_no_property_for_is_noted(header: str, value: str, note: str) -> None:
    assert blob_properties({header: value}, RENAME) == (BlobProperties(), (note,))


def test_no_tags_are_nothing_to_note() -> None:
    assert blob_properties({"x-amz-tagging-count": "0"}, RENAME)[1] == ()


def test_notes_come_once() -> None:
    assert meta({"a-b": "1", "c-d": "2"})[1] == ("metadata-renamed",)


@pytest.mark.parametrize("names", [
    {"author": "jiac", "viewport": "width", "description": "test file"},
    {"class": "x"},
    {"mtime": "user value"},
    {"title": "=?UTF-8?B?bmHDr3Zl?="},
    {"md5chksum": "AAAAAAAAAAAAAAAAAAAAAA=="},
])
def test_plain_metadata_arrives_as_it_is(names: dict[str, str]) -> None:
    assert meta(names) == (names, ())


def test_names_azure_refuses_are_renamed_with_the_original_beside_them() -> None:
    assert meta({"1abc": "jiac", "$%^": "width", "description": "test file"})[0] == {
        "rename_1abc": "jiac", "rename_key_1abc": "1abc", "rename____": "width", "rename_key____": "$%^",
        "description": "test file",
    }  # fmt: skip


def test_the_hyphen_that_s3_likes_is_renamed() -> None:
    assert meta({"original-filename": "x.pdf"}) == (
        {"rename_original_filename": "x.pdf", "rename_key_original_filename": "original-filename"},
        ("metadata-renamed",),
    )


def test_names_azure_refuses_can_be_dropped() -> None:
    assert meta({"a-b": "1", "c": "2"}, DROP) == ({"c": "2"}, ("metadata-dropped",))


def test_names_azure_refuses_can_be_refused() -> None:
    assert meta({"c": "2"}, REFUSE) == ({"c": "2"}, ())
    with pytest.raises(MetadataRefused, match="metadata-name"):
        meta({"a-b": "1"}, REFUSE)


def test_upper_case_becomes_lower_case() -> None:
    assert meta({"CamelCase": "x"})[0] == {"camelcase": "x"}


@pytest.mark.parametrize("names", [{"a-b": "1", "a.b": "2"}, {"a-b": "1", "rename_a_b": "2"}, {"A": "1", "a": "2"}])
def test_two_names_that_would_become_one_are_refused(names: dict[str, str]) -> None:
    with pytest.raises(MetadataRefused, match="metadata-collision"):
        meta(names)


def test_a_value_outside_ascii_goes_as_rfc_2047() -> None:
    kept, notes = meta({"title": "naïve"})
    assert kept == {"title": "=?UTF-8?B?bmHDr3Zl?="}
    assert notes == ("metadata-encoded",)
    assert b64decode(kept["title"][10:-2]).decode() == "naïve"


def test_a_name_outside_ascii_is_kept_readable() -> None:
    assert meta({"größe": "7"})[0] == {"rename_gr__e": "7", "rename_key_gr__e": "gr%C3%B6%C3%9Fe"}


def test_metadata_beyond_azures_limit_is_refused() -> None:
    assert meta({"a": "x" * (METADATA_LIMIT - 1)})[1] == ()
    with pytest.raises(MetadataRefused, match="metadata-too-large"):
        meta({"a": "x" * METADATA_LIMIT})


NAMES = st.text(string.printable.strip() + "äß", min_size=1, max_size=7)


@given(st.dictionaries(NAMES, st.text(max_size=8), max_size=5))
def test_no_value_is_lost_by_renaming(names: dict[str, str]) -> None:
    plain = [re.sub("[^a-z0-9_]", "_", name.lower()) for name in names]
    if len(set(plain)) < len(plain):  # two of them would become one: refused above
        return
    kept, _ = meta(names)
    assert len([name for name in kept if not name.startswith("rename_key_")]) == len(names)
    assert all(name.isascii() and name.replace("_", "a").isalnum() and not name[0].isdigit() for name in kept)


@given(st.dictionaries(
    st.text("abc-._1", min_size=1, max_size=6), st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=9),
    max_size=5,
))  # fmt: skip
def test_what_the_way_there_has_renamed_the_way_back_restores(metadata: dict[str, str]) -> None:
    sent = {f"x-amz-meta-{name}": value for name, value in metadata.items()}
    try:
        properties, _ = blob_properties(sent, MetadataNames.RENAME)
    except MetadataRefused:
        return  # two names became one: it never went
    stored = {f"x-ms-meta-{name}": value for name, value in properties.metadata}
    assert dict(object_headers(stored)) == sent


def test_properties_go_back_as_content_headers_and_nothing_else_of_azure_s_does() -> None:
    blob = {
        "content-type": "image/png", "cache-control": "max-age=60", "content-disposition": "inline",
        "content-encoding": "gzip", "content-language": "de", "content-length": "5", "content-md5": "x", "etag": "e",
        "x-ms-access-tier": "Hot", "x-ms-meta-Owner": "jo", "x-ms-meta-mark": "true", "last-modified": "now",
    }  # fmt: skip
    assert dict(object_headers(blob, without="mark")) == {
        "content-type": "image/png", "cache-control": "max-age=60", "content-disposition": "inline",
        "content-encoding": "gzip", "content-language": "de", "x-amz-meta-owner": "jo",
    }  # fmt: skip


def test_half_of_a_renamed_pair_is_an_ordinary_name() -> None:
    lonely = {"x-ms-meta-rename_a_b": "v", "x-ms-meta-rename_key_c": "c-d"}
    assert dict(object_headers(lonely)) == {"x-amz-meta-rename_a_b": "v", "x-amz-meta-rename_key_c": "c-d"}


def test_a_name_that_no_header_can_have_is_not_restored() -> None:
    pair = {"x-ms-meta-rename_a_b": "v", "x-ms-meta-rename_key_a_b": "a b: c"}
    assert dict(object_headers(pair)) == {"x-amz-meta-rename_a_b": "v", "x-amz-meta-rename_key_a_b": "a b: c"}


@pytest.mark.parametrize(("blob", "reason"), [
    ({"x-ms-meta-rename_a_b": "1", "x-ms-meta-rename_key_a_b": "c", "x-ms-meta-c": "2"}, "metadata-collision"),
    ({"x-ms-meta-a": "v" * 2048}, "metadata-too-large"),
])  # fmt: skip
def test_metadata_that_s3_cannot_hold_are_refused(blob: dict[str, str], reason: str) -> None:
    with pytest.raises(MetadataRefused, match=reason):
        object_headers(blob)
