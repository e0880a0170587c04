"""Names: an accepted key is its own blob name; what Azure would rewrite is refused before the first byte."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blobmove.core.names import MAX_CHARACTERS, MAX_FOLDERS, MAX_SEGMENTS, folders, older_version_name, refusal

AWKWARD = st.lists(
    st.sampled_from(("a", "b", ".", "..", "/", "//", "\\", " ", "%", "%2F", "+", "é", "世", "\x00", "\x1f", "\n",
                     "\x7f", "\x85", "\x9f", "\ufffe", "\uffff", "\ud800", "~", "📷")),
    min_size=1, max_size=12,
).map("".join)
KEYS = AWKWARD | st.text(min_size=1, max_size=60)


def as_azure_stores(name: str) -> str:
    """What the live service makes of a name: backslash to slash, dot segments resolved, trailing dots stripped."""
    kept: list[str] = []
    for segment in name.replace("\\", "/").split("/"):
        if segment == ".":
            continue
        if segment == "..":
            del kept[-1:]
            continue
        kept.append(segment.rstrip(".") if segment.strip(".") else "")
    return "/".join(kept)


@given(KEYS)
def test_an_accepted_key_is_never_rewritten(key: str) -> None:
    if refusal(key) is None:
        assert as_azure_stores(key) == key


@given(KEYS, KEYS)
def test_two_accepted_keys_never_become_one_blob(one: str, other: str) -> None:
    if one != other and refusal(one) is None and refusal(other) is None:
        assert as_azure_stores(one) != as_azure_stores(other)


@given(KEYS)
def test_where_folders_are_real_no_accepted_key_loses_a_segment(key: str) -> None:
    if refusal(key, hierarchical=True) is None:
        assert "/".join(segment for segment in as_azure_stores(key).split("/") if segment) == key


@pytest.mark.parametrize(("key", "flat", "hierarchical"), [
    ("/".join("a" * MAX_FOLDERS), None, None),
    ("/".join("a" * (MAX_FOLDERS + 1)), None, "name-too-many-segments"),
    ("a//b", None, "name-empty-segment"), ("/a", None, "name-empty-segment"), ("a/", None, "name-empty-segment"),
    ("", "name-empty", "name-empty"), ("a/b.", "name-trailing-dot", "name-trailing-dot"),
])
def test_where_folders_are_real_more_is_refused(key: str, flat: str | None, hierarchical: str | None) -> None:
    assert (refusal(key), refusal(key, hierarchical=True)) == (flat, hierarchical)


def test_a_blob_lies_in_every_folder_above_it() -> None:
    assert [*folders("a/b/c")] == ["a", "a/b"]
    assert [*folders("a")] == []


@given(KEYS)
def test_a_refusal_is_one_of_the_documented_reasons(key: str) -> None:
    assert refusal(key) in {
        None, "name-control-character", "name-not-a-character", "name-backslash", "name-dot-segment",
        "name-trailing-dot",
    }  # fmt: skip


@pytest.mark.parametrize("key", [
    "xtapjjcjiudrlk3tmwyjgpuobabd",
    "variants/xtapjjcjiudrlk3tmwyjgpuobabd/cf64579b5ef85d267d1782150b3e470a308a085a4763b0b1c2d3e4f5a6b7c8d9",
    "plus+dir/a+b.txt", "%252F", "hash#q?a&b=c.txt", "!\"#$%&'()*+,-.:;<=>?@[]^_`{|}~", "trailing space ",
    "._DS_Store", "images/disk.vhdx", "folder-with-data/", "/abc", "Case/A.txt", "case/a.txt",
    "emoji/\U0001f4f7\U0001f468\u200d\U0001f469.jpg", "世" * 341 + "x", 'csv/a,"b",c.txt', "--recursive",
    "$web/index.html", "x/a?X-Amz-Signature=1&b.txt", "100%", "a///double_nameless.txt",
    "//nested/named_under_nameless.txt", "m/////quad.txt", "proj/src//hidden.go", "données/café.txt",
    "spaces dir/file with spaces.txt", "////Upper/blob/empty /another 汉字", "عربي/عربى", "%D1%80%D1%83",
    ".hidden", "a..b", "..x/y.txt", "a" * MAX_CHARACTERS, "s/" * (MAX_SEGMENTS - 1) + "x",
    "cafe\u0301", "caf\u00e9", "\u00a0",
])
def test_keys_azure_takes_as_they_are(key: str) -> None:
    assert refusal(key) is None


@pytest.mark.parametrize(("key", "reason"), [
    ("", "name-empty"),
    ("dir./file.txt", "name-trailing-dot"),
    ("dup/name.", "name-trailing-dot"),
    ("a/...", "name-trailing-dot"),
    ("...", "name-trailing-dot"),
    ("./a", "name-dot-segment"),
    ("..", "name-dot-segment"),
    (".", "name-dot-segment"),
    ("a/../b", "name-dot-segment"),
    ("x/./y", "name-dot-segment"),
    ("a/..", "name-dot-segment"),
    ("back\\slash", "name-backslash"),
    ("ctl/a\x01b", "name-control-character"),
    ("ctl/line1\nline2", "name-control-character"),
    ("ctl/del\x7f", "name-control-character"),
    ("ctl/\x85", "name-control-character"),
    ("uni/\ufffe", "name-not-a-character"),
    ("uni/\uffff", "name-not-a-character"),
    ("uni/\ud83d", "name-not-a-character"),
    ("s/" * MAX_SEGMENTS + "x", "name-too-many-segments"),
    ("a" * (MAX_CHARACTERS + 1), "name-too-long"),
])
def test_keys_azure_cannot_hold_are_refused_with_the_reason(key: str, reason: str) -> None:
    assert refusal(key) == reason


def test_an_older_version_lies_beside_the_current_one() -> None:
    name = older_version_name("a/b.pdf", "3HL4kqtJvjVBH40Nrjfkd")
    assert name != "a/b.pdf"
    assert name.startswith("a/b.pdf")
    assert refusal(name) is None
    assert name != older_version_name("a/b.pdf", "null")
