"""Blocks that another program left uncommitted under our names, on a real server."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.acceptance.world import SMALL_BLOCKS

if TYPE_CHECKING:
    from tests.acceptance.world import World

pytestmark = [pytest.mark.servers, pytest.mark.acceptance]


@pytest.mark.parametrize("block_id", ["000001", "0" * 48])
def test_what_another_program_left_uncommitted_is_in_nobodys_way(world: World, block_id: str) -> None:
    world.put("small.pdf", b"of S3", ContentType="application/pdf")
    world.put_parts("large.tif", [300_000, 200_000], ContentType="image/tiff")
    world.plan()
    for key in ("small.pdf", "large.tif"):
        world.blobs.get_blob_client(key).stage_block(block_id, b"of another program")
    assert world.outcomes(*SMALL_BLOCKS) == {"copied": 2}
    world.assert_moved("small.pdf", "large.tif")
    assert world.run("verify", "--json").document["extra"] == 0
