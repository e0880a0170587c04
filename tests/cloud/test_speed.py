"""The measurement of the cloud's speed: that it counts what was answered. How fast it is stands in its documents."""

from __future__ import annotations

import pytest

from tests.cloud.control import Cloud
from tests.cloud.speed import Load, Requests, measured


def test_every_case_is_answered_and_costs_time(cloud: Cloud) -> None:
    found = measured(cloud, requests=64, rounds=2, connections=4)

    assert set(found) == set(Requests(cloud).cases)
    assert all(rate.requests == 64 and rate.cpu_seconds > 0 for rates in found.values() for rate in rates)


def test_only_what_was_asked_for_is_sent(cloud: Cloud) -> None:
    requests = Requests(cloud)
    load = Load(cloud, 4)
    load.measure([requests.cases["GetObject, PutBlob"](number) for number in range(50)])
    load.close()

    counts = cloud.counts()
    assert (counts.s3.answers, counts.azure.answers) == ({"GetObject": {"200": 25}}, {"PutBlob": {"201": 25}})
    assert all(one.content_md5 == one.md5 for one in cloud.blobs("dst").values())


def test_a_refused_request_is_no_figure(cloud: Cloud) -> None:
    requests = Requests(cloud)
    twice = [requests.cases["PutBlob"](0)] * 2
    load = Load(cloud, 1)

    with pytest.raises(AssertionError, match="409"):
        load.measure(twice)
    load.close()
