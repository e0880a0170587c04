"""The campaign: `--flips N` single wrong bits over both ways, all sizes and all proofs, none in a committed blob."""

from __future__ import annotations

from pathlib import Path
from random import Random
from typing import Final

import pytest

from tests.campaigns import Teller
from tests.cloud.control import Cloud
from tests.cloud.specs import Rule
from tests.corruption.campaign import Campaign, by_chance, the_first
from tests.corruption.objects import LIMIT, WAYS, objects

SMALL_PROOFS: Final = {way.small for way in WAYS}
LARGE_PROOFS: Final = {way.large for way in WAYS}


@pytest.mark.timeout(3600)
def test_no_wrong_bit_reaches_a_committed_blob(
    cloud_environment: Cloud, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest,
    campaign_seed: int, tell: Teller,
) -> None:
    wanted = request.config.getoption("--flips")
    chance = Random(campaign_seed)
    campaign = Campaign(cloud_environment, tmp_path, monkeypatch)
    few = wanted < 1000
    try:
        everything = objects(chance, 4, 2, least_twice_read=1)
        campaign.wave(everything, [the_first(name) for name in ("GetObject", "PutBlob", "PutBlock")])
        while campaign.flips.total() < wanted:
            campaign.wave(objects(chance, small=6 if few else 16, large=2 if few else 4), bad_wires(chance))
    finally:
        tell(f"flips --seed {campaign_seed}: {campaign.flips.total()} wrong bits")
        for line in campaign.report():
            tell(f"    {line}")
    for operation, proofs in (
        ("GetObject", SMALL_PROOFS | LARGE_PROOFS), ("PutBlob", SMALL_PROOFS), ("PutBlock", LARGE_PROOFS),
    ):  # fmt: skip
        missed = {proof for proof in proofs if not campaign.flips[proof, operation]}
        assert missed == set(), f"no wrong bit in any {operation} of these"
    assert campaign.noticed == set(), "not even with a failure"
    assert campaign.ends["copied"] > campaign.ends["failed"]


@pytest.mark.parametrize("content", ["head", "rails"])
def test_no_wrong_bit_reaches_a_blob_that_azure_pulls(
    content: str, cloud_environment: Cloud, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, campaign_seed: int
) -> None:
    """The same proofs, whether the bytes pass here or not: the limit of a single pull is the whole-object limit."""
    monkeypatch.setenv("BLOBMOVE_TRANSFER", "server")
    monkeypatch.setenv("BLOBMOVE_CONTENT_FROM", content)
    monkeypatch.setattr("blobmove.core.transfer.MAX_WHOLE_BYTES", LIMIT)
    chance = Random(campaign_seed)
    campaign = Campaign(cloud_environment, tmp_path, monkeypatch)
    campaign.wave(objects(chance, 4, 2), [the_first("GetObject")])
    campaign.wave(objects(chance, 4, 2), [by_chance(chance, "GetObject", 0.3, "*/small/*")])
    assert campaign.flips.total() > 0
    assert campaign.noticed == set(), "not even with a failure"


def bad_wires(chance: Random) -> list[Rule]:
    """Wrong bits on either way, so often that most objects meet one and few meet them again and again."""
    return [
        by_chance(chance, "GetObject", 0.3, "*/small/*"), by_chance(chance, "PutBlob", 0.3),
        by_chance(chance, "GetObject", 0.1, "*/large/*"), by_chance(chance, "PutBlock", 0.15),
        by_chance(chance, "PutBlockList", 0.2), by_chance(chance, "GetBlob", 0.1),
    ]  # fmt: skip
