"""Who notices what: with one guard switched off, exactly the objects it guards arrive wrong, so the campaign can see.

The table in docs/explanation/integrity.md says the same in words.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import Any, Final

import pytest

from blobmove.engine import large, large_proof, small
from blobmove.stores.http import Answer, Body, HttpClient
from tests.cloud.control import Cloud
from tests.corruption.campaign import Campaign, Unnoticed, each, the_first
from tests.corruption.objects import WAYS, objects

BY_AZURE: Final = {
    "in": {"etag/small", "etag-and-crc64nvme/small"},
    "out": {f"{way.name}/{kind}" for way in WAYS for kind in ("small", "large")}
    - {"kms-nothing/small", "kms-nothing/large", "kms-parts-nothing/small", "kms-parts-nothing/large"},
}
"""Objects that only the checksum sent along (Content-MD5, x-ms-content-crc64) protects, by way: S3's MD5 in Azure's
hands on the way in; on the way out all but those that are read back afterwards."""

BY_BLOBMOVE: Final = {
    "in": {f"{way.name}/{kind}" for way in WAYS for kind in ("small", "large")} - BY_AZURE["in"],
    "out": set[str](),
}
"""Objects that only blobmove's own comparison with S3's record (or a second reading) protects."""

BITS: Final = {"in": ("GetObject",), "out": ("PutBlob", "PutBlock")}


def azure_is_told_no_checksum(patch: pytest.MonkeyPatch) -> None:
    """Content-MD5 and x-ms-content-crc64 are not sent."""
    send = HttpClient.send

    async def without(
        self: HttpClient, method: str, url: str, lines: Sequence[str] = (), body: Body | None = None,
        **more: Any,  # noqa: ANN401
    ) -> Answer:
        kept = [line for line in lines if line.partition(":")[0] not in ("content-md5", "x-ms-content-crc64")]
        return await send(self, method, url, kept, body, **more)

    patch.setattr(HttpClient, "send", without)


def blobmove_does_not_compare(patch: pytest.MonkeyPatch) -> None:
    """Whatever the digests are, the bytes count as good."""
    for module in (small, large, large_proof):
        patch.setattr(module, "require", lambda _equal, _what: None)


def wrong_after(campaign: Campaign, way: str) -> set[str]:
    """The kinds of objects that arrive wrong when every body on this way has one wrong bit."""
    try:
        campaign.wave(objects(Random(f"guards {way}"), 2, 1), [each(name) for name in BITS[way]])
    except Unnoticed as unnoticed:
        return {key.rpartition("/")[0] for key in unnoticed.keys}
    return set()


@pytest.fixture
def campaign(cloud_environment: Cloud, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Campaign:
    return Campaign(cloud_environment, tmp_path, monkeypatch)


@pytest.mark.parametrize("way", ["in", "out"])
def test_with_all_guards_nothing_arrives_wrong(campaign: Campaign, way: str) -> None:
    assert wrong_after(campaign, way) == campaign.noticed == set()
    assert campaign.flips.total() >= len(WAYS)


@pytest.mark.parametrize("way", ["in", "out"])
def test_without_checksums_for_azure_exactly_what_azure_guards_arrives_wrong(
    campaign: Campaign, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    azure_is_told_no_checksum(monkeypatch)
    assert wrong_after(campaign, way) == BY_AZURE[way]


@pytest.mark.parametrize("way", ["in", "out"])
def test_without_comparing_exactly_what_blobmove_guards_arrives_wrong(
    campaign: Campaign, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    blobmove_does_not_compare(monkeypatch)
    assert wrong_after(campaign, way) == BY_BLOBMOVE[way]


def test_a_wrong_bit_in_the_list_of_blocks_only_costs_another_request(campaign: Campaign) -> None:
    campaign.wave(objects(Random("lists"), 0, 1), [the_first("PutBlockList")])
    assert campaign.flips.total() == campaign.ends["copied"] == len(WAYS)
