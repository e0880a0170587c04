"""Notes: what a row or the metadata say otherwise of a file is told, and only where both sides are known."""

from __future__ import annotations

import pytest

from blobmove.core.digests import to_base64
from blobmove.core.model import RailsFacts
from blobmove.core.notes import metadata_notes, rails_notes

MD5, OTHER_MD5 = b"m" * 16, b"o" * 16
SHA, OTHER_SHA = b"s" * 32, b"o" * 32


def row(size: int = 7, md5: bytes | None = MD5, sha256: bytes | None = None) -> RailsFacts:
    return RailsFacts(1, "amazon", size, md5, sha256, None)


@pytest.mark.parametrize(("rails", "notes"), [
    (None, ()),
    (row(), ()),
    (row(md5=None, sha256=SHA), ()),
    (row(md5=None), ()),
    (row(size=8), ("rails-size-differs",)),
    (row(md5=OTHER_MD5), ("rails-md5-differs",)),
    (row(md5=None, sha256=OTHER_SHA), ("rails-sha256-differs",)),
    (row(size=8, md5=OTHER_MD5), ("rails-md5-differs", "rails-size-differs")),
])
def test_a_row_that_differs_is_noted(rails: RailsFacts | None, notes: tuple[str, ...]) -> None:
    assert rails_notes(rails, 7, MD5, SHA) == notes


def test_what_is_not_known_of_the_bytes_cannot_differ() -> None:
    assert rails_notes(row(md5=OTHER_MD5, sha256=OTHER_SHA), 7, None, None) == ()


@pytest.mark.parametrize(("text", "differs"), [
    (to_base64(MD5), False), (to_base64(OTHER_MD5), True), ("no base64!", False), (to_base64(b"short"), False),
    ("", False),
])
def test_only_a_claim_that_is_an_md5_is_compared(text: str, differs: bool) -> None:
    notes = ("metadata-md5-differs",) if differs else ()
    assert metadata_notes([("author", "jiac"), ("md5chksum", text)], MD5) == notes


def test_metadata_without_a_claim_or_an_unknown_md5_say_nothing() -> None:
    assert metadata_notes([], MD5) == ()
    assert metadata_notes([("author", "jiac")], MD5) == ()
    assert metadata_notes([("md5chksum", to_base64(OTHER_MD5))], None) == ()
