"""The cases of objects.json as values: which object to store, which outcome to expect, which test shows it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest

from tests.cloud.content import Mod251
from tests.cloud.specs import ObjectSpec

FILE: Final = Path(__file__).with_name("objects.json")

STATES: Final[Mapping[str, tuple[str, ...]]] = {
    "copied": ("copied",),
    "copied_on_retry": ("copied",),
    "copied_with_note": ("copied",),
    "copied_with_note_or_failed_object": ("copied", "failed"),
    "copied_or_failed_object": ("copied", "failed"),
    "failed_object": ("failed",),
    "failed_object_after_retry_or_copied_on_retry": ("copied", "failed"),
    "skipped_recorded": ("skipped", "present", "gone"),
    "refused_or_mapped": ("refused",),
    "source_changed": ("changed",),
    "conflict": ("conflict",),
}
"""The states in which an object of an outcome ends. `gone` is how a source that was deleted is recorded (F03)."""


@dataclass(frozen=True, slots=True)
class Case:
    """One case as it is written down; `told` is the whole of it."""

    told: Mapping[str, Any]

    @property
    def id(self) -> str:
        return str(self.told["id"])

    @property
    def group(self) -> str:
        return str(self.told["group"])

    @property
    def key(self) -> str:
        return str(self.told["key"])

    @property
    def size(self) -> int:
        """In bytes."""
        return int(self.told["size"])

    @property
    def md5(self) -> str:
        """Of the whole body, hexadecimal."""
        return str(self.told["md5_hex"])

    @property
    def body(self) -> bytes:
        return Mod251(self.size).read(0, self.size)

    @property
    def expect(self) -> Mapping[str, Any]:
        found: Mapping[str, Any] = self.told["expect"]
        return found

    @property
    def outcome(self) -> str:
        return str(self.expect["outcome"])

    @property
    def before(self) -> Mapping[str, Any]:
        """What is there before the tool comes (`precondition`)."""
        found: Mapping[str, Any] = self.told.get("precondition", {})
        return found

    @property
    def heavy(self) -> bool:
        return bool(self.told.get("heavy"))

    @property
    def parts(self) -> tuple[int, ...]:
        """Part sizes of a multipart upload, () for one PUT."""
        upload = self.told.get("upload")
        if upload is None:
            return ()
        parts = upload["parts"]
        if isinstance(parts, list):
            return tuple(parts)
        return (int(parts["part_size"]),) * (int(upload["part_count"]) - 1) + (int(parts["last"]),)

    def spec(self, **changes: Any) -> ObjectSpec:  # noqa: ANN401 - the fields of ObjectSpec
        """The object to store in the simulated S3."""
        told, before = self.told, self.before
        checksum = before.get("checksum", {})
        fields: dict[str, Any] = {
            "key": self.key, "size": self.size, "parts": self.parts, "headers": told.get("headers", {}),
            "metadata": told.get("metadata", {}), "tags": told.get("tags", {}),
            "storage_class": told.get("storage_class", "STANDARD"), "restore": before.get("x-amz-restore"),
            "archive_status": before.get("archive_status"), "encryption": before.get("sse"),
            "checksum": checksum.get("algorithm"), "checksum_type": checksum.get("type", "FULL_OBJECT"),
        }
        return ObjectSpec(**{**fields, **changes})

    def neighbours(self) -> tuple[ObjectSpec, ...]:
        """Other objects that must lie in the same bucket."""
        return tuple(ObjectSpec(**told) for told in self.before.get("also_in_bucket", ()))


def read(path: Path) -> dict[str, Case]:
    """All cases of a file by id, in its order."""
    cases = [Case(told) for told in json.loads(path.read_text(encoding="utf-8"))["cases"]]
    return {case.id: case for case in cases}


CASES: Final = read(FILE)
SHOWN: Final[set[str]] = set()
"""The ids that some test claims; all of them, once every module is imported."""


def of(*ids: str) -> pytest.MarkDecorator:
    """The test takes these cases, one after the other, as `case`."""
    SHOWN.update(ids)
    heavy = pytest.mark.heavy
    return pytest.mark.parametrize(
        "case", [pytest.param(CASES[one], id=one, marks=[heavy] if CASES[one].heavy else []) for one in ids]
    )


def of_group(group: str, *, but: tuple[str, ...] = ()) -> pytest.MarkDecorator:
    """The test takes all cases of a group but these."""
    return of(*ids_of(group, but=but))


def ids_of(group: str, *, but: tuple[str, ...] = ()) -> tuple[str, ...]:
    """The ids of a group in the order of the file."""
    return tuple(case.id for case in CASES.values() if case.group == group and case.id not in but)
