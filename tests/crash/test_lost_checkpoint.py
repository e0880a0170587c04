"""The checkpoint is gone, the blobs are there: a new plan and a new copy find them, and send nothing twice."""

from __future__ import annotations

from pathlib import Path
from random import Random

from tests.acceptance.forks import Forks
from tests.cloud.control import Cloud
from tests.crash.company import BUCKET, CONTAINER, Company


def test_without_its_checkpoint_a_copy_finds_every_blob_again_whatever_its_proof(
    cloud: Cloud, forks: Forks, tmp_path: Path
) -> None:
    company = Company.found(cloud, tmp_path, forks, Random(1))
    company.plan()
    company.copy()
    for path in company.terminal.folder.iterdir():
        path.unlink()
    company.plan()
    cloud.reset_counts()

    told = company.copy().summary

    assert told["outcomes"]["present"] == len(company.objects), told["outcomes"]
    assert cloud.counts().azure.answers["PutBlob"].keys() == {"409"}
    assert "PutBlock" not in told["requests"]["azure"]
    compared = cloud.compare(BUCKET, CONTAINER)
    assert compared.identical == len(company.objects)
    assert compared.different == compared.wrong_md5 == compared.extra == []
    assert all(blob.writes == 1 for blob in cloud.blobs(CONTAINER).values())
