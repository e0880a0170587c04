"""Rails' checksums, read as raw digests."""

from __future__ import annotations

import hashlib
from base64 import b64encode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blobmove.core.model import BlobRow
from blobmove.core.rails import parse_rails_checksum, rails_facts


@given(st.binary())
def test_what_rails_writes_is_read_back(body: bytes) -> None:
    md5, sha256 = hashlib.md5(body).digest(), hashlib.sha256(body).digest()
    assert parse_rails_checksum(b64encode(md5).decode()) == (md5, None)
    assert parse_rails_checksum("sha256:" + b64encode(sha256).decode()) == (None, sha256)


@pytest.mark.parametrize(
    "text",
    [
        None, "", "1ac1ef01e96caf1be0d329331a4fc2a8", "GsHvAelsrxvg0ykzGk/CqA", "GsHvAelsrxvg0ykzGk-CqA==",
        "sha256:GsHvAelsrxvg0ykzGk/CqA==", "sha512:AAAA", "ä", "GsHv",
    ],
)  # fmt: skip
def test_what_is_no_digest_says_nothing(text: str | None) -> None:
    assert parse_rails_checksum(text) == (None, None)


@given(st.text())
def test_no_text_is_an_error(text: str) -> None:
    md5, sha256 = parse_rails_checksum(text)
    assert md5 is None or len(md5) == 16
    assert sha256 is None or len(sha256) == 32


def test_a_row_becomes_facts() -> None:
    facts = rails_facts(BlobRow(7, "k", "amazon", 10, "xWvVSA9uVBPLYqCtlmZhOg==", "image/png"))
    assert (facts.id, facts.service_name, facts.size, facts.content_type) == (7, "amazon", 10, "image/png")
    assert facts.md5 == bytes.fromhex("c56bd5480f6e5413cb62a0ad9666613a")
