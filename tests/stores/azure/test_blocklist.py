"""Azure's XML: blocks of a blob and pages of a listing, names as they are."""

from __future__ import annotations

from base64 import b64encode
from xml.sax.saxutils import escape

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blobmove.core.errors import Kind, StoreError
from blobmove.stores.azure.blocklist import ListedBlob, read_block_list, read_page

BLOCKS = """\ufeff<?xml version="1.0" encoding="utf-8"?>
<BlockList>
  <CommittedBlocks><Block><Name>{}</Name><Size>8388608</Size></Block></CommittedBlocks>
  <UncommittedBlocks>
    <Block><Name>{}</Name><Size>5</Size></Block><Block><Name>{}</Name><Size>6</Size></Block>
  </UncommittedBlocks>
</BlockList>"""

BLOB = """<Blob><Name{}>{}</Name><Properties><Content-Length>{}</Content-Length><Content-Type>image/png</Content-Type>
<Content-MD5>{}</Content-MD5><Etag>"0x8DCE5"</Etag></Properties></Blob>"""


def page(blobs: str, marker: str = "") -> bytes:
    return (
        '\ufeff<?xml version="1.0" encoding="utf-8"?><EnumerationResults ContainerName="c"><Blobs>'
        f"{blobs}</Blobs><NextMarker>{marker}</NextMarker></EnumerationResults>"
    ).encode()


def test_committed_and_uncommitted_blocks_are_told_apart() -> None:
    ids = [b64encode(text).decode() for text in (b"one", b"two", b"\xff\xfe")]
    text = BLOCKS.format(*ids).encode()
    assert read_block_list(text, committed=True) == [("one", 8388608)]
    assert read_block_list(text, committed=False) == [("two", 5), ("\xff\xfe", 6)]


@pytest.mark.parametrize("text", [b"<BlockList/>", b"<BlockList><CommittedBlocks/></BlockList>"])
def test_a_blob_without_blocks_has_none(text: bytes) -> None:
    assert read_block_list(text, committed=True) == []


def test_a_block_without_a_readable_id_is_nobodys() -> None:
    text = b"<BlockList><CommittedBlocks><Block><Name>?</Name></Block><Block/></CommittedBlocks></BlockList>"
    assert read_block_list(text, committed=True) == [("", 0), ("", 0)]


def test_a_page_of_a_listing_is_read() -> None:
    md5 = b64encode(b"m" * 16).decode()
    blobs, marker = read_page(page(
        BLOB.format("", "a &amp; b.png", 10, md5) + BLOB.format("", "no md5", 0, "")
        + BLOB.format(' Encoded="true"', "%EF%BF%BE%25", 3, ""), "2!96!next",
    ))  # fmt: skip
    assert blobs == [
        ListedBlob("a & b.png", 10, b"m" * 16, "0x8DCE5", "image/png"),
        ListedBlob("no md5", 0, None, "0x8DCE5", "image/png"),
        ListedBlob("\ufffe%", 3, None, "0x8DCE5", "image/png"),
    ]
    assert marker == "2!96!next"


def test_the_last_page_has_no_marker() -> None:
    assert read_page(page("")) == ([], "")


def test_entries_that_are_no_blobs_are_passed_over() -> None:
    blobs, _ = read_page(page("<Blob><Name>x</Name></Blob><Blob><Properties/></Blob>"
                              "<Blob><Name/><Properties/></Blob>"))
    assert blobs == [ListedBlob("", 0, None, "", None)]


@given(st.text(st.characters(min_codepoint=32, exclude_categories=("Cs", "Cc"), exclude_characters="\ufffe\uffff")))
def test_names_are_read_as_they_are(name: str) -> None:
    (blob,), _ = read_page(page(BLOB.format("", escape(name), 1, "")))
    assert blob.name == name


@pytest.mark.parametrize("text", [b"", b"<BlockList>", b"not xml", b"\xff\xfe\x00"])
def test_an_answer_that_is_cut_short_is_asked_for_again(text: bytes) -> None:
    for reading in (lambda: read_block_list(text, committed=True), lambda: read_page(text)):
        with pytest.raises(StoreError) as caught:
            reading()
        assert (caught.value.kind, caught.value.code) == (Kind.TRANSIENT, "UnreadableXml")
