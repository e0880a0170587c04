"""A run as Prometheus series: events in, text out, figures that add up."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as open_families

from blobmove import __version__
from blobmove.core.crew import WorkerShown
from blobmove.core.errors import UsageError
from blobmove.core.events import Finished, Note, Problem, Started, Stopping, Throttled
from blobmove.core.model import State
from blobmove.core.results import Effort
from blobmove.core.settings import Address
from blobmove.core.units import GIB, MIB
from blobmove.views.metrics import Metrics
from blobmove.views.metrics_door import served
from tests.scrapes import Scrape, is_closed
from tests.views.examples import DESTINATION, SAMPLE, SOURCE, SUMMARY, TOTALS

STARTED = Started("7f3a91", "copy", SOURCE, DESTINATION, "blobmove.db", TOTALS, 16, 384 * MIB)
EFFORT = Effort(3 * GIB, 2 * GIB, 5, {"GetObject": 730}, {"PutBlob": 680, "PutBlock": 64}, {"SlowDown": 40},
                {"ServerBusy": 1})
WORKERS = (
    WorkerShown("tls://10.0.0.5:4000", "at work", 12.0, 5.0, 30, 40, 500, 2 * GIB, GIB, 5, 41),
    WorkerShown("tls://10.0.0.6:4000", "silent for 9 s", 0.0, 0.0, 18, 24, 213, GIB, GIB, 0, 0),
)


def scraped(metrics: Metrics) -> Scrape:
    return Scrape.of(metrics.text()[0].decode())


def heard(*events: object) -> Scrape:
    metrics = Metrics()
    for event in events:
        metrics(event)  # type: ignore[arg-type]
    return scraped(metrics)


def test_before_a_run_begins_only_the_version_is_told() -> None:
    assert heard().series == {("blobmove_build_info", frozenset({("version", __version__)})): 1}


def test_a_run_that_has_just_begun_shows_its_plan() -> None:
    told = heard(STARTED)
    assert told("blobmove_run_info", command="copy", direction="forward", plan="7f3a91") == 1
    assert told("blobmove_plan_objects") == TOTALS.planned
    assert told("blobmove_concurrency_limit") == 16


def test_outcomes_and_what_is_pending_add_up_to_the_plan() -> None:
    told = heard(STARTED, replace(SAMPLE, effort=EFFORT))
    for kind, planned, pending in (
        ("blobmove_objects_total", "blobmove_plan_objects", "blobmove_pending_objects"),
        ("blobmove_object_bytes_total", "blobmove_plan_bytes", "blobmove_pending_bytes"),
    ):
        outcomes = told.by("outcome", kind)
        assert outcomes.keys() == {str(state) for state in State} - {"pending"}
        assert sum(outcomes.values()) + told(pending) == told(planned)
    assert told("blobmove_objects_total", outcome="copied") == 700


def test_a_sample_is_told_in_full() -> None:
    told = heard(STARTED, replace(SAMPLE, effort=EFFORT))
    assert told.by("direction", "blobmove_bytes_total") == {"read": 3 * GIB, "written": 2 * GIB, "pulled": 5}
    assert told.by("operation", "blobmove_requests_total", side="azure") == {"PutBlob": 680, "PutBlock": 64}
    assert told("blobmove_requests_total", side="s3", operation="GetObject") == 730
    assert told("blobmove_retries_total", side="s3", code="SlowDown") == 40
    assert told("blobmove_retries_total", side="azure", code="ServerBusy") == 1
    assert told("blobmove_in_flight") == SAMPLE.in_flight
    assert told("blobmove_concurrency_limit") == SAMPLE.concurrency
    assert told("blobmove_memory_bytes") == SAMPLE.memory_used
    assert told("blobmove_elapsed_seconds") == SAMPLE.elapsed
    assert told("blobmove_eta_seconds") == SAMPLE.eta_seconds
    assert told("blobmove_stopping") == 0


def test_no_series_is_told_for_a_pace_that_is_not_known_yet() -> None:
    assert "blobmove_eta_seconds" not in heard(STARTED, replace(SAMPLE, eta_seconds=None)).text


def test_rare_events_are_counted_by_side() -> None:
    told = heard(STARTED, Throttled("source", "SlowDown", 1.0, 8), Throttled("destination", "ServerBusy", 1.0, 8),
                 Throttled("source", "SlowDown", 1.0, 4), Stopping("interrupted", 3))
    assert told.by("side", "blobmove_throttled_total") == {"s3": 2, "azure": 1}
    assert told("blobmove_stopping") == 1


def test_the_end_is_told_by_the_summary() -> None:
    told = heard(STARTED, replace(SAMPLE, workers=WORKERS), Finished(replace(SUMMARY, effort=EFFORT)))
    assert told.by("direction", "blobmove_bytes_total")["read"] == EFFORT.bytes_read
    assert told("blobmove_elapsed_seconds") == SUMMARY.seconds
    assert told("blobmove_in_flight") == sum(told.by("worker", "blobmove_worker_in_flight").values()) == 0


def test_the_parts_of_the_workers_add_up_to_the_whole() -> None:
    told = heard(STARTED, replace(SAMPLE, effort=EFFORT, in_flight=48, workers=WORKERS))
    assert told("blobmove_workers") == 2
    assert sum(told.by("worker", "blobmove_worker_objects_total").values()) == 713
    for direction, whole in told.by("direction", "blobmove_bytes_total").items():
        assert sum(told.by("worker", "blobmove_worker_bytes_total", direction=direction).values()) == whole
    assert sum(told.by("worker", "blobmove_worker_retries_total").values()) == 41
    assert sum(told.by("worker", "blobmove_worker_in_flight").values()) == told("blobmove_in_flight")
    assert sum(told.by("worker", "blobmove_worker_concurrency_limit").values()) == told("blobmove_concurrency_limit")


def test_a_worker_that_has_left_is_told_no_more() -> None:
    told = heard(STARTED, replace(SAMPLE, workers=WORKERS), replace(SAMPLE, workers=WORKERS[:1]))
    assert told.by("worker", "blobmove_worker_in_flight").keys() == {WORKERS[0].name}
    assert "blobmove_worker" not in heard(STARTED, SAMPLE).text


def test_no_label_holds_a_key_or_an_end_of_the_copy() -> None:
    told = heard(STARTED, replace(SAMPLE, effort=EFFORT, workers=WORKERS), Note("secret-note"),
                 Problem("secret-key", "failed", "E403-SOURCE", "https://a/c?sig=abc"), Finished(SUMMARY))
    harmless = {"version", "command", "direction", "plan", "outcome", "side", "operation", "code", "worker"}
    assert told.labels() <= harmless
    for text in ("secret", "sig=", SOURCE, DESTINATION, "acme"):
        assert text not in told.text


def test_a_reader_of_openmetrics_gets_openmetrics() -> None:
    metrics = Metrics()
    metrics(STARTED)
    text, content_type = metrics.text("application/openmetrics-text; version=1.0.0")
    assert content_type.startswith("application/openmetrics-text; version=1.0.0")
    families = open_families(text.decode())  # type: ignore[no-untyped-call]
    assert "blobmove_objects" in {family.name for family in families}


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_the_door_serves_until_it_is_closed(host: str) -> None:
    metrics = Metrics()
    with served(metrics.text, Address(host, 0)) as told:
        url = told.removeprefix("metrics at ")
        assert Scrape.at(url)("blobmove_build_info", version=__version__) == 1
        metrics(STARTED)
        assert Scrape.at(url)("blobmove_plan_objects") == TOTALS.planned
    assert is_closed(url)


def test_who_listens_to_others_is_warned() -> None:
    with served(Metrics().text, Address("0.0.0.0", 0)) as told:
        assert told.endswith("without a password: whoever reaches this address can read them")


@pytest.mark.parametrize(("host", "cause"), [
    ("203.0.113.9", "Cannot assign requested address"), ("nobody.invalid", ""),
])
def test_an_address_that_is_not_of_this_machine_is_refused(host: str, cause: str) -> None:
    with pytest.raises(UsageError) as caught, served(Metrics().text, Address(host, 9)):
        pass
    assert caught.value.code == "E409-METRICS"
    assert cause in str(caught.value.cause)
    assert "--metrics-addr 127.0.0.1:9464" in str(caught.value.hint)


def test_two_do_not_share_an_address() -> None:
    with served(Metrics().text, Address("127.0.0.1", 0)) as told:
        port = int(told.rpartition(":")[2].partition("/")[0])
        with pytest.raises(UsageError, match="cannot be served"), served(Metrics().text, Address("127.0.0.1", port)):
            pass


def test_the_library_is_loaded_only_where_it_is_asked_for() -> None:
    code = "import sys, blobmove.cli.wiring, blobmove.cli.commands.copy; print('prometheus_client' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
