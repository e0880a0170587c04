"""Small forms of values: whatever goes into the checkpoint comes out as it was."""

from __future__ import annotations

import sqlite3
from contextlib import closing

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blobmove.checkpoint.schema import BLOB_ETAG
from blobmove.checkpoint.values import blob_etag_in, blob_etag_out, etag_in, etag_out

HEX = st.text("0123456789abcdefABCDEF", max_size=20)


@given(st.one_of(st.none(), st.text(), HEX, HEX.map(lambda digits: f"{digits[:16]:0>32}"), HEX.map("0x{}".format)))
def test_an_etag_comes_out_as_it_went_in(etag: str | None) -> None:
    assert etag_out(etag_in(etag)) == etag
    assert blob_etag_out(blob_etag_in(etag)) == etag


@pytest.mark.parametrize(("etag", "kept"), [
    ("0x8DE2A7C4B5F1D30", 0x8DE2A7C4B5F1D30), ("0x8D1", 0x8D1), ("0x0", 0),
    ("0x8de2", "0x8de2"), ("0x08D1", "0x08D1"), ("0x8_D", "0x8_D"), ("0x", "0x"), ("8D1", "8D1"), ("", ""),
    ("0xFFFFFFFFFFFFFFF", 2**60 - 1), ("0xFFFFFFFFFFFFFFFF", "0xFFFFFFFFFFFFFFFF"),
])
def test_azures_etag_is_kept_as_the_number_it_spells_and_any_other_as_text(etag: str, kept: object) -> None:
    assert blob_etag_in(etag) == kept
    with closing(sqlite3.connect(":memory:")) as db:
        assert db.execute(f"SELECT {BLOB_ETAG} FROM (SELECT ? AS blob_etag) o", (kept,)).fetchone() == (etag,)


def test_an_etag_of_the_form_of_an_md5_takes_sixteen_bytes() -> None:
    assert etag_in("0123456789abcdef" * 2) == bytes.fromhex("0123456789abcdef" * 2)
    assert etag_in("0123456789ABCDEF" * 2) == "0123456789ABCDEF" * 2
    assert etag_in("0123456789abcdef" * 2 + "-7") == "0123456789abcdef" * 2 + "-7"
