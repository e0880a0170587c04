"""Selection: every row of an inventory is work, skipped or refused, with the reason."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blobmove.core.model import Destination, ObjectVersion, Source, State, slot, slots
from blobmove.core.selection import Decision, Selection, decide, is_archived

PLAIN = ObjectVersion("a/b.pdf", 10, "d41d8cd98f00b204e9800998ecf8427e")
EVERYTHING = Selection()


def test_a_plain_object_is_work_under_its_own_name() -> None:
    assert decide(PLAIN, EVERYTHING, None) == Decision(State.PENDING)


@pytest.mark.parametrize(("version", "selection", "referenced", "reason"), [
    (replace(PLAIN, is_delete_marker=True), EVERYTHING, None, "delete-marker"),
    (replace(PLAIN, is_latest=False), EVERYTHING, None, "old-version"),
    (ObjectVersion("folder/", 0), EVERYTHING, None, "folder-placeholder"),
    (PLAIN, Selection(excludes=("*.png", "a/*")), None, "excluded"),
    (PLAIN, Selection(only_referenced=True), False, "not-referenced"),
    (replace(PLAIN, storage_class="GLACIER"), EVERYTHING, None, "archived"),
    (replace(PLAIN, storage_class="DEEP_ARCHIVE"), EVERYTHING, None, "archived"),
    (replace(PLAIN, is_delete_marker=True, is_latest=False), Selection(all_versions=True), None, "delete-marker"),
])
def test_a_row_is_skipped_with_its_reason(
    version: ObjectVersion, selection: Selection, referenced: bool | None, reason: str
) -> None:
    assert decide(version, selection, referenced) == Decision(State.SKIPPED, reason)


@pytest.mark.parametrize(("version", "selection", "referenced"), [
    (ObjectVersion("folder/", 5), EVERYTHING, None),
    (ObjectVersion("folder/", None), EVERYTHING, None),
    (ObjectVersion("empty", 0), EVERYTHING, None),
    (PLAIN, Selection(excludes=("A/*", "b.pdf")), None),
    (PLAIN, Selection(only_referenced=True), True),
    (PLAIN, Selection(only_referenced=True), None),
    (PLAIN, EVERYTHING, False),
    (replace(PLAIN, storage_class="GLACIER_IR"), EVERYTHING, None),
])
def test_what_only_looks_like_a_skip_is_work(
    version: ObjectVersion, selection: Selection, referenced: bool | None
) -> None:
    assert decide(version, selection, referenced).state is State.PENDING


def test_a_name_azure_cannot_hold_is_refused() -> None:
    assert decide(replace(PLAIN, key="a\\b"), EVERYTHING, None) == Decision(State.REFUSED, "name-backslash")


def test_a_skipped_row_is_not_also_refused() -> None:
    version = replace(PLAIN, key="a\\b", is_delete_marker=True)
    assert decide(version, EVERYTHING, None).state is State.SKIPPED


def test_older_versions_lie_beside_the_current_one_when_asked_for() -> None:
    every = Selection(all_versions=True)
    named = [
        decide(replace(PLAIN, is_latest=False, version_id=version), every, None).blob_name for version in ("v1", None)
    ]
    assert named == ["a/b.pdf~version~v1", "a/b.pdf~version~null"]
    assert decide(replace(PLAIN, version_id="v2"), every, None).blob_name is None


def test_an_older_version_whose_name_becomes_too_long_is_refused() -> None:
    version = ObjectVersion("k" * 1020, 1, is_latest=False, version_id="v1")
    assert decide(version, Selection(all_versions=True), None) == Decision(State.REFUSED, "name-too-long")


@pytest.mark.parametrize(("tier", "archived"), [
    (None, False), ("FREQUENT", False), ("INFREQUENT", False), ("ARCHIVE_INSTANT_ACCESS", False),
    ("ARCHIVE", True), ("DEEP_ARCHIVE", True), ("archive", True),
])
def test_intelligent_tiering_is_archived_only_in_its_archive_tiers(tier: str | None, archived: bool) -> None:
    assert is_archived(replace(PLAIN, storage_class="INTELLIGENT_TIERING", archive_tier=tier)) is archived


def test_the_slot_is_that_of_the_key_alone_for_the_current_version() -> None:
    numbers = [slot("k"), slot("k", "null"), slot("k", "v1"), slot("other")]
    assert len(set(numbers)) == 4
    assert all(0 <= number < 2**63 for number in numbers)
    assert slot("k\ud800") != slot("k")


@given(st.lists(st.text(st.characters(exclude_categories=()))))
def test_many_keys_have_the_slots_that_each_has_alone(keys: list[str]) -> None:
    assert slots(keys) == [slot(key) for key in keys]


@pytest.mark.parametrize(("end", "text"), [
    (Source("b"), "s3://b"), (Source("b", "p/q"), "s3://b/p/q"),
    (Destination("https://acme.blob.core.windows.net", "c"), "https://acme.blob.core.windows.net/c"),
])
def test_an_end_of_the_copy_is_written_as_it_was_given(end: Source | Destination, text: str) -> None:
    assert str(end) == text
