"""What `doctor` makes of S3's answers that no emulator gives: credentials that end, objects archived unseen."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest

from blobmove.core.diagnosis import Finding, Level
from blobmove.core.errors import Kind, Side, StoreError
from blobmove.core.model import ObjectVersion, Source
from blobmove.operations.doctor_source import SourceEnd, _address, _credentials, _read

if TYPE_CHECKING:
    from blobmove.stores.http import HttpClient
    from blobmove.stores.s3.control import S3Control

pytestmark = pytest.mark.anyio


@dataclass
class Control:
    """A bucket whose objects answer as told; `kind` and `ends` are those of the credentials."""

    answers: dict[str, Kind] = field(default_factory=dict)
    kind: str = "env"
    ends: datetime | None = None
    asked: list[str] = field(default_factory=list)
    settings: Any = None

    async def kind_of_credentials(self) -> tuple[str, datetime | None]:
        return self.kind, self.ends

    async def objects(self, _http: object) -> Control:
        return self

    async def get(self, key: str, **_how: object) -> None:
        self.asked.append(key)
        if key in self.answers:
            raise StoreError(Side.SOURCE, self.answers[key], "Told", status=403)


def end(control: Control) -> SourceEnd:
    return SourceEnd(Source("acme"), cast("S3Control", control), cast("HttpClient", None))


async def read(control: Control, *page: ObjectVersion) -> Finding:
    found: list[Finding] = []
    await _read(end(control), list(page), found.append)
    return found[0]


PAGE = (ObjectVersion("small", 1), ObjectVersion("large", 9), ObjectVersion("frozen", 99, storage_class="GLACIER"),
        ObjectVersion("empty", 0))


async def test_the_largest_object_that_can_be_read_is_asked_for_its_first_byte() -> None:
    control = Control()
    assert (await read(control, *PAGE)).level is Level.OK
    assert set(control.asked) == {"large"}


@pytest.mark.parametrize("kind", [Kind.ARCHIVED, Kind.MISSING])
async def test_one_that_is_archived_unseen_or_gone_says_nothing_of_the_others(kind: Kind) -> None:
    control = Control({"large": kind})
    assert (await read(control, *PAGE)).level is Level.OK
    assert control.asked[-1] == "small"
    assert (await read(Control({"large": kind, "small": kind}), *PAGE)).level is Level.ABSENT


async def test_one_that_is_refused_says_it_of_all() -> None:
    with pytest.raises(StoreError):
        await read(Control({"large": Kind.STOP_ACCESS}), *PAGE)


async def test_an_empty_page_is_nothing_to_try() -> None:
    assert (await read(Control(), PAGE[2], PAGE[3])).level is Level.ABSENT


@pytest.mark.parametrize(("kind", "minutes", "level"), [
    ("sso", 59, Level.WARNING), ("sso", 90, Level.OK), ("iam-role", 5, Level.OK),
])
async def test_credentials_that_end_and_are_not_renewed_by_themselves_are_worth_a_word(
    kind: str, minutes: int, level: Level
) -> None:
    found: list[Finding] = []
    ends = datetime.now(UTC) + timedelta(minutes=minutes)
    await _credentials(end(Control(kind=kind, ends=ends)), found.append)
    assert found[0].level is level
    assert found[0].figures["expires_seconds"] == pytest.approx(minutes * 60, abs=30)


@pytest.mark.parametrize(("endpoint", "region", "address"), [
    ("http://127.0.0.1:9000", "us-east-1", "http://127.0.0.1:9000/"),
    (None, "eu-west-1", "https://s3.eu-west-1.amazonaws.com/"),
    (None, "cn-north-1", "https://s3.cn-north-1.amazonaws.com.cn/"),
    (None, None, "https://s3.amazonaws.com/"),
])
def test_the_clock_is_asked_where_the_bucket_is(endpoint: str | None, region: str | None, address: str) -> None:
    assert _address(end(Control(settings=SimpleNamespace(endpoint=endpoint, region=region)))) == address
