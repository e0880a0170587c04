"""The stage: the objects as S3 keeps them, and what is told of them to those who need it."""

from __future__ import annotations

import base64
import hashlib
import json
import sqlite3
from collections.abc import Iterator

import pytest

from tests.bench.cases import MIB, Case
from tests.bench.stage import BUCKET, Network, Stage, staged

SIZES = (4096, 0, 101 * MIB)


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with staged(Case("mix", "three", SIZES), Network(), tmp_path_factory.mktemp("stage")) as made:
        yield made


def test_large_objects_were_uploaded_in_parts_and_all_have_a_crc(stage: Stage) -> None:
    stored = stage.cloud.objects(BUCKET)

    assert sorted(one.size for one in stored) == sorted(SIZES)
    assert {one.size > 100 * MIB: "-" in one.etag for one in stored} == {False: False, True: True}
    assert all(one.checksum for one in stored)


def test_every_object_has_a_row_with_the_md5_of_its_bytes(stage: Stage) -> None:
    connection = sqlite3.connect(stage.database)
    rows = connection.execute('SELECT "key", byte_size, checksum FROM active_storage_blobs').fetchall()
    connection.close()

    assert len(rows) == len(SIZES)
    for key, size, checksum in rows:
        content = stage.cloud.object_content(BUCKET, key)
        assert (size, checksum) == (len(content), base64.b64encode(hashlib.md5(content).digest()).decode())


def test_the_work_list_has_a_line_for_every_object(stage: Stage) -> None:
    lines = [json.loads(line) for line in stage.work_list.read_text(encoding="utf-8").splitlines()]

    assert [size for _, _, size, _ in lines] == list(SIZES)
    assert [md5 == "" for *_, md5 in lines] == [False, False, True]


def test_no_proxy_and_no_profile_of_the_caller_reaches_a_tool(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AWS_PROFILE", "https_proxy", "HTTPS_PROXY", "RCLONE_TRANSFERS", "BLOBMOVE_CONCURRENCY"):
        monkeypatch.setenv(name, "mine")

    assert "mine" not in stage.environment().values()
