"""`copy --metrics-addr`: what Prometheus reads of a running copy is what the copy says itself at its end."""

from __future__ import annotations

import signal
import socket
import urllib.error
import urllib.request
from typing import TYPE_CHECKING

import pytest

from tests.cloud.specs import Rule
from tests.cluster.company import Company
from tests.scrapes import Scrape, at_rest, is_closed, until_copied, url_of

if TYPE_CHECKING:
    from pathlib import Path

    from tests.acceptance.forks import Forks
    from tests.cloud.control import Cloud

pytestmark = pytest.mark.acceptance

ANY_PORT = ("--metrics-addr", "127.0.0.1:0")


@pytest.fixture
def company(cloud: Cloud, tmp_path: Path, forks: Forks) -> Company:
    return Company.found(cloud, tmp_path, forks=forks, small=200)


def test_the_metrics_of_a_running_copy_are_those_of_its_summary(company: Company) -> None:
    company.plan()
    company.slow(60)
    company.cloud.rule(Rule(side="s3", do="answer", operation="GetObject", status=503, code="SlowDown", count=3))
    company.cloud.rule(Rule(side="azure", do="answer", operation="PutBlob", key="small/0000*", status=500,
                            code="InternalError", count=2))
    pause = company.terminal.folder / "pause"
    process = company.start(*ANY_PORT, "--throttle-file", "pause")
    url = url_of(process)
    until_copied(process, url)
    pause.touch()
    told = at_rest(process, url)
    process.signal(signal.SIGINT)
    run = process.ended(130)
    summary = company.adds_up(run.summary)

    outcomes = told.by("outcome", "blobmove_objects_total")
    assert outcomes | {"pending": told("blobmove_pending_objects")} == summary["outcomes"]
    assert told("blobmove_plan_objects") == sum(outcomes.values()) + told("blobmove_pending_objects") == company.planned
    assert told("blobmove_pending_objects") > 0
    assert told.by("direction", "blobmove_bytes_total") == {name: summary["bytes"][name]
                                                            for name in ("read", "written", "pulled")}
    for side in ("s3", "azure"):
        assert told.by("operation", "blobmove_requests_total", side=side) == summary["requests"][side]
    assert told.by("code", "blobmove_retries_total", side="s3") == {"SlowDown": 3}
    assert told.by("code", "blobmove_retries_total", side="azure") == {"InternalError": 2}
    assert summary["retries"] == 5
    assert told("blobmove_throttled_total", side="s3") >= 1
    assert is_closed(url)
    company.terminal.assert_no_secrets(told.text)
    assert "small/" not in told.text


def test_the_way_back_shows_its_own_list_and_other_pages_are_not_found(company: Company) -> None:
    company.plan()
    company.copy()
    keys = company.terminal.folder / "keys"
    keys.write_text("small/00001\nsmall/00002\n")
    (company.terminal.folder / "pause").touch()
    words = ("copy", "--reverse", "--keys", "keys", "--yes", "--throttle-file", "pause")
    process = company.terminal.start(*words, *ANY_PORT)
    url = url_of(process)
    process.until(lambda: "blobmove_run_info" in Scrape.at(url).text, "the run has begun")
    told = Scrape.at(url)
    assert told.by("direction", "blobmove_run_info") == {"reverse": 1}
    assert told("blobmove_pending_objects") == told("blobmove_plan_objects") == 2
    with pytest.raises(urllib.error.HTTPError, match="404"):
        urllib.request.urlopen(url.removesuffix("metrics"))  # noqa: S310 - a URL that the command has told
    (company.terminal.folder / "pause").unlink()
    process.ended()


def test_a_reader_that_never_ends_its_request_does_not_hold_the_run(company: Company) -> None:
    company.plan()
    (company.terminal.folder / "pause").touch()
    process = company.start(*ANY_PORT, "--throttle-file", "pause")
    url = url_of(process)
    process.until(lambda: "blobmove_run_info" in Scrape.at(url).text, "the run has begun")
    host, port = url.split("/")[2].rsplit(":", 1)
    with socket.create_connection((host, int(port))) as slow, socket.create_connection((host, int(port))) as gone:
        slow.sendall(b"GET /metrics HTTP/1.0\r\n")
        gone.sendall(b"GET /metrics HTTP/1.0\r\n\r\n")
        gone.close()
        process.signal(signal.SIGINT)
        run = process.ended(130)
    assert company.adds_up(run.summary)["outcomes"]["pending"] == company.planned


def test_an_address_in_use_is_refused_before_anything_is_begun(company: Company) -> None:
    company.plan()
    with socket.create_server(("127.0.0.1", 0)) as other:
        address = f"127.0.0.1:{other.getsockname()[1]}"
        run = company.terminal.run(*company.copy_words("--metrics-addr", address), expect=2)
    assert run.document["code"] == "E409-METRICS"
    assert f"metrics cannot be served at {address}" in run.err
    assert "caused by: Address already in use" in run.err
    assert "hint: name a free port" in run.err
    assert company.settled() == 0
