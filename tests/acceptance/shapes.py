"""The JSON of the command line contract as shapes: which fields there are, and what each holds.

A shape is a type, a tuple of types, a one-element list (a list of such), a mapping of field to shape (at least these
fields), or COUNTS (a mapping of any name to a count).
"""

from __future__ import annotations

from types import NoneType
from typing import Any, Final

COUNTS: Final = "counts"
STATES: Final = ("copied", "present", "skipped", "refused", "changed", "gone", "conflict", "failed", "pending")

_NUMBER: Final = (int, float)
_TEXT_OR_NONE: Final = (str, NoneType)
_NUMBER_OR_NONE: Final = (int, float, NoneType)
_OUTCOMES: Final = dict.fromkeys(STATES, int)

PLAN: Final = {
    "format": 1, "command": "plan", "plan": str, "source": str, "destination": str,
    "inventory": {"format": str, "created": _TEXT_OR_NONE, "files": int, "rows": int},
    "objects": {"listed": int, "to_copy": int, "skipped": COUNTS, "refused": COUNTS},
    "bytes": {"to_copy": int},
    "sizes": [{"up_to": (int, NoneType), "objects": int, "bytes": int}],
    "storage_classes": COUNTS,
    "proofs": COUNTS,
    "rails": {
        "rows": int, "by_service": COUNTS, "matched": int, "missing_attached": int, "missing_unattached": int,
        "size_differs": int, "checksum_differs": int, "objects_without_row": int,
    },
    "forecast": {"seconds": [_NUMBER], "dollars": dict, "requests": COUNTS},
}  # fmt: skip

COPY_SUMMARY: Final = {
    "format": 1, "type": "summary", "planned": int, "outcomes": _OUTCOMES, "bytes": {"read": int, "written": int},
    "requests": {"s3": COUNTS, "azure": COUNTS}, "seconds": _NUMBER, "next": str,
}  # fmt: skip

LINES: Final = {
    "started": {"format": 1, "type": "started", "plan": str, "planned": int, "outcomes": _OUTCOMES},
    "sample": {"format": 1, "type": "sample", "planned": int, "outcomes": _OUTCOMES, "elapsed": _NUMBER, "state": str},
    "problem": {"format": 1, "type": "problem", "key": str, "state": str, "code": str, "detail": str},
    "throttled": {"format": 1, "type": "throttled", "side": str, "code": str, "wait_seconds": _NUMBER},
    "stopped": {"format": 1, "type": "stopped", "why": str, "in_flight": int},
}

VERIFY: Final = {
    "format": 1, "checked": int, "identical": int, "different": int, "missing": int, "extra": int, "how": str,
}  # fmt: skip

FLIP: Final = {
    "format": 1, "from": [str], "to": str, "rows": int, "flipped": int, "refused": COUNTS, "remaining": int,
    "dry_run": bool, "run": (int, NoneType),
}  # fmt: skip

STATUS: Final = {
    **COPY_SUMMARY, "running": _TEXT_OR_NONE, "eta_seconds": _NUMBER_OR_NONE, "rate": _NUMBER_OR_NONE,
}  # fmt: skip

REPORT: Final = {
    "key": str, "version_id": _TEXT_OR_NONE, "size": (int, NoneType), "state": str, "reason": _TEXT_OR_NONE,
    "error": _TEXT_OR_NONE, "attempts": int, "proof": _TEXT_OR_NONE, "md5": _TEXT_OR_NONE, "crc64": _TEXT_OR_NONE,
    "source_etag": _TEXT_OR_NONE, "blob_name": _TEXT_OR_NONE, "blob_etag": _TEXT_OR_NONE,
    "content_type": _TEXT_OR_NONE, "storage_class": _TEXT_OR_NONE, "rails_id": _TEXT_OR_NONE,
    "rails_service": _TEXT_OR_NONE, "settled_at": _TEXT_OR_NONE, "seconds": _NUMBER_OR_NONE,
}  # fmt: skip

ERROR: Final = {
    "format": 1, "type": "error", "code": str, "message": str, "cause": _TEXT_OR_NONE, "hint": _TEXT_OR_NONE,
}  # fmt: skip


def assert_shape(value: Any, shape: Any, where: str = "document") -> None:  # noqa: ANN401 - any JSON
    """`value` has the shape; further fields are allowed, since fields are only ever added."""
    if shape is COUNTS:
        assert isinstance(value, dict), where
        for name, number in value.items():
            assert type(number) is int, f"{where}.{name} is {number!r}"
            assert number >= 0, f"{where}.{name} is {number!r}"
    elif isinstance(shape, dict):
        assert isinstance(value, dict), where
        for name, inner in shape.items():
            assert name in value, f"{where} has no {name}"
            assert_shape(value[name], inner, f"{where}.{name}")
    elif isinstance(shape, list):
        assert isinstance(value, list), where
        for number, item in enumerate(value):
            assert_shape(item, shape[0], f"{where}[{number}]")
    elif isinstance(shape, type | tuple):
        kinds = shape if isinstance(shape, tuple) else (shape,)
        assert type(value) in kinds, f"{where} is {value!r}"
    else:
        assert value == shape, f"{where} is {value!r}, not {shape!r}"
