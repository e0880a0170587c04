"""A list of keys somebody else made: plain, as S3 Batch Operations takes it, or as JSON lines."""

from __future__ import annotations

import io
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from blobmove.core.errors import UsageError
from blobmove.core.model import ObjectVersion
from blobmove.stores.inventory.keyfile import key_batches


def keys_of(folder: Path, name: str, content: bytes) -> list[ObjectVersion]:
    (folder / name).write_bytes(content)
    return [found for batch in key_batches(folder / name, "src") for found in batch]


def test_each_line_is_a_key_exactly_as_it_stands(tmp_path: Path) -> None:
    content = "a b+c\n\n %41\tß\u2028x\nlast".encode()
    assert keys_of(tmp_path, "keys.txt", content) == [
        ObjectVersion("a b+c"),
        ObjectVersion(" %41\tß\u2028x"),
        ObjectVersion("last"),
    ]


def test_a_byte_order_mark_is_not_part_of_the_first_key(tmp_path: Path) -> None:
    assert keys_of(tmp_path, "keys", b"\xef\xbb\xbfa\n") == [ObjectVersion("a")]


def test_many_keys_come_in_batches(tmp_path: Path) -> None:
    path = tmp_path / "keys"
    path.write_text("".join(f"k{number}\n" for number in range(12_000)))
    batches = list(key_batches(path, "src"))
    assert [len(batch) for batch in batches] == [5_000, 5_000, 2_000]
    assert batches[-1][-1].key == "k11999"


def test_an_empty_file_has_no_keys(tmp_path: Path) -> None:
    assert keys_of(tmp_path, "keys", b"") == []


def test_standard_input_is_read_as_plain_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(b"one\ntwo\n")))
    assert [found.key for batch in key_batches(None, "src") for found in batch] == ["one", "two"]


def test_a_batch_operations_manifest_has_encoded_keys_and_maybe_versions(tmp_path: Path) -> None:
    content = b'src,a%20b%2Bc\n"src","d+e",v1\nsrc,f,\n'
    assert keys_of(tmp_path, "KEYS.CSV", content) == [
        ObjectVersion("a b+c"),
        ObjectVersion("d e", version_id="v1"),
        ObjectVersion("f"),
    ]


def test_json_lines_may_say_more_than_the_key(tmp_path: Path) -> None:
    content = b'{"key": "two\\nlines", "size": 5, "etag": "\\"ab\\"", "version_id": "v", "tag": 1}\n\n{"key":"b"}\n'
    assert keys_of(tmp_path, "keys.jsonl", content) == [ObjectVersion("two\nlines", 5, "ab", "v"), ObjectVersion("b")]


@pytest.mark.parametrize(
    ("name", "line", "why"),
    [
        ("keys", b"\xff", "not UTF-8"),
        ("keys", b"windows\r", "carriage return"),
        ("keys", b"x" * 1025, "1025 bytes"),
        ("keys.csv", b"src", "1 columns"),
        ("keys.csv", b"src,a,b,c", "4 columns"),
        ("keys.csv", b"other,a", "'other'"),
        ("keys.csv", b"src,", "0 bytes"),
        ("keys.csv", b"src,%ff", "not UTF-8"),
        ("keys.csv", b'src,"a"b', "expected"),
        ("keys.jsonl", b"{", "not JSON"),
        ("keys.jsonl", b"[]", "not a JSON object"),
        ("keys.jsonl", b'{"size": 1}', "no key"),
        ("keys.jsonl", b'{"key": "a", "size": "1"}', "size is '1'"),
        ("keys.jsonl", b'{"key": "a", "etag": 1}', "etag is 1"),
        ("keys.jsonl", b'{"key": "\\ud800"}', "half a character"),
    ],
)
def test_a_bad_line_is_named_by_its_number(tmp_path: Path, name: str, line: bytes, why: str) -> None:
    good = {"keys": b"k", "keys.csv": b"src,k", "keys.jsonl": b'{"key":"k"}'}[name]
    with pytest.raises(UsageError) as caught:
        keys_of(tmp_path, name, good + b"\n\n" + line + b"\n" + good + b"\n")
    assert caught.value.code == "E422-KEYS"
    assert "line 3" in str(caught.value.cause)
    assert why in str(caught.value.cause)


def test_a_key_file_that_is_not_there_is_one_clear_error(tmp_path: Path) -> None:
    for path in (tmp_path / "nowhere", tmp_path):
        with pytest.raises(UsageError) as caught:
            list(key_batches(path, "src"))
        assert caught.value.code == "E404-KEYS"
