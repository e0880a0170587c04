"""Group `size`: from no byte to 5 TiB, whole and in blocks, every byte and its MD5 at the destination."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import pytest

from blobmove.core.blocks import MAX_BLOCK_BYTES, MAX_BLOCKS, block_size_for
from tests.cases.catalogue import CASES, Case, ids_of, of
from tests.cases.conftest import MakeDesk
from tests.cases.desk import Desk, Record
from tests.cases.webs import fetched
from tests.cloud.control import Cloud

PLAIN: Final = tuple(one for one in ids_of("size", but=("S21",)) if not CASES[one].heavy)
HOW: Final = {
    "by default": (),
    "in blocks of 4 MiB": ("--whole-object-limit", "4MiB", "--block-size", "4MiB"),
}


@dataclass(frozen=True, slots=True)
class Moved:
    """All sizes after one migration."""

    desk: Desk
    records: Mapping[str, Record]
    summary: Mapping[str, Any]


@pytest.fixture(scope="module", params=HOW)
def moved(request: pytest.FixtureRequest, sky: Cloud, tmp_path_factory: pytest.TempPathFactory) -> Moved:
    """Planned, copied and verified by reading every byte again."""
    folder = tmp_path_factory.mktemp("sizes")
    desk = Desk.create(sky, folder, *(CASES[one].spec() for one in PLAIN))
    desk.plan()
    summary = desk.copy(*HOW[request.param])
    assert desk.verify("--how", "read")["identical"] == len(PLAIN)
    return Moved(desk, desk.records(), summary)


@of(*PLAIN)
def test_every_size_arrives_whole_with_its_md5(case: Case, moved: Moved) -> None:
    record = moved.desk.ended(case, moved.records)
    assert (record["size"], record["md5"], record["proof"]) == (case.size, case.md5, "etag-md5")
    moved.desk.holds(case)
    if case.size <= 1 << 20:
        assert fetched(moved.desk.cloud, moved.desk.container, case.key) == case.body


@of("S17", "S19")
def test_a_large_multipart_object_is_proven_by_its_recomputed_etag(case: Case, make_desk: MakeDesk) -> None:
    desk = make_desk(case.spec())
    (stored,) = desk.cloud.objects(desk.bucket)
    assert stored.etag == case.told["upload"]["etag"]
    desk.plan()
    summary = desk.copy()
    record = desk.ended(case)
    assert (record["proof"], record["source_etag"], record["md5"]) == ("multipart-etag", stored.etag, case.md5)
    desk.holds(case)
    parts = case.told["upload"]["part_count"]
    assert summary["requests"]["s3"]["GetObject"] == summary["requests"]["azure"]["PutBlock"] == parts
    assert desk.verify()["identical"] == 1


@of("S21")
def test_five_tebibytes_are_planned_in_blocks_that_azure_takes(case: Case, make_desk: MakeDesk) -> None:
    assert case.outcome == "planned"
    desk = make_desk(case.spec(etag="0" * 32))
    plan = desk.plan()
    assert (plan["objects"]["to_copy"], plan["bytes"]["to_copy"]) == (1, case.size)
    blocks = plan["forecast"]["requests"]["s3_get"]
    assert plan["forecast"]["requests"]["azure_write"] == blocks + 1, "every block, and the list of them"
    assert blocks <= MAX_BLOCKS
    size = block_size_for(case.size, 32 << 20)
    assert -(-case.size // size) == blocks
    assert 109_951_163 <= size <= MAX_BLOCK_BYTES == 4000 << 20
