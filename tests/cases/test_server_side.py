"""`--transfer server` and `auto`: Azure pulls from S3, what has no proof without its bytes is streamed."""

from __future__ import annotations

from typing import Any, Final

import pytest

from blobmove.demo.child import Server
from blobmove.demo.servers import connection_string
from tests.cases.conftest import MakeDesk
from tests.cases.desk import Desk
from tests.cases.railway import Railway
from tests.cloud.specs import BlobSpec, Key, ObjectSpec, Rule, Weather

MIB: Final = 1 << 20
SERVER: Final = ("--transfer", "server")
AUTO: Final = ("--transfer", "auto")
OF_ROWS: Final = ("--content-from", "rails")
HEADERS: Final = {"Content-Type": "image/png", "Cache-Control": "max-age=60", "Content-Disposition": "inline"}


def refusing(key: str = "*", status: int = 403, code: str = "CannotVerifyCopySource") -> Rule:
    """Azure does not pull these."""
    return Rule(side="azure", do="answer", operation="Put*FromURL", key=key, status=status, code=code)


def identical(desk: Desk) -> int:
    """How many objects are on Azure byte for byte, each with its MD5; none is wrong."""
    found = desk.cloud.compare(desk.bucket, desk.container)
    assert (found.different, found.wrong_md5) == ([], [])
    return found.identical


def ways(summary: dict[str, Any]) -> tuple[int, int]:
    """How many were pulled, how many streamed."""
    return summary["transfer"]["server"], summary["transfer"]["stream"]


@pytest.mark.parametrize("words", [SERVER, AUTO])
def test_a_small_object_is_one_head_and_one_pull_and_its_bytes_never_come_here(
    words: tuple[str, ...], make_desk: MakeDesk
) -> None:
    desk = make_desk(*(ObjectSpec(key=f"k{number}", size=5000, recipe=f"mod251:{number}") for number in range(7)))
    desk.plan()
    summary = desk.copy(*words)
    assert summary["requests"] == {"s3": {"HeadObject": 7}, "azure": {"PutBlobFromURL": 7}}
    assert summary["bytes"] == {"read": 0, "written": 0, "pulled": 35_000, "planned": 35_000}
    assert (ways(summary), summary["proofs"], summary["notes"]) == ((7, 0), {"etag-md5": 7}, {"server-side": 7})
    assert identical(desk) == 7
    assert desk.verify()["identical"] == 7


def test_with_the_type_of_the_row_one_pull_is_all_there_is(make_desk: MakeDesk) -> None:
    desk = make_desk(*(ObjectSpec(key=f"k{number}", size=700 + number, headers=HEADERS) for number in range(5)))
    rails = Railway.beside(desk)
    for number in range(5):
        rails.add(f"k{number}", 700 + number, content_type="application/pdf")
    desk.plan()
    desk.cloud.reset_counts()
    summary = desk.copy(*SERVER, *OF_ROWS)
    assert summary["requests"] == {"s3": {}, "azure": {"PutBlobFromURL": 5}}
    assert desk.cloud.counts().s3.requests.get("GetObject") == 5, "Azure's own"
    blob = desk.blob("k0")
    assert blob is not None
    assert blob.headers == {"Content-Type": "application/pdf"}
    assert identical(desk) == 5


def test_without_a_row_or_with_a_type_that_rails_hides_s3_is_asked(make_desk: MakeDesk) -> None:
    hidden = {"Content-Type": "application/octet-stream", "Content-Disposition": "attachment"}
    desk = make_desk(
        ObjectSpec(key="raw", size=10, headers=HEADERS, metadata={"a-b": "c"}),
        ObjectSpec(key="page", size=20, headers=hidden),
    )
    Railway.beside(desk).add("page", 20, content_type="text/html")
    desk.plan()
    summary = desk.copy(*SERVER, *OF_ROWS)
    assert summary["requests"] == {"s3": {"HeadObject": 2}, "azure": {"PutBlobFromURL": 2}}
    raw, page = desk.blob("raw"), desk.blob("page")
    assert raw is not None
    assert page is not None
    assert (raw.headers, raw.metadata) == (HEADERS, {"rename_a_b": "c", "rename_key_a_b": "a-b"})
    assert page.headers == hidden


@pytest.mark.parametrize("words", [SERVER, AUTO, (*SERVER, *OF_ROWS)])
def test_each_object_goes_the_way_for_which_it_has_a_proof(words: tuple[str, ...], make_desk: MakeDesk) -> None:
    specs = [
        ObjectSpec(key="etag", size=3000),
        ObjectSpec(key="kms-row", size=3100, encryption="aws:kms"),
        ObjectSpec(key="parts-row", parts=(3000, 200)),
        ObjectSpec(key="kms", size=3200, encryption="aws:kms"),
        ObjectSpec(key="kms-crc", size=3300, encryption="aws:kms", checksum="CRC64NVME"),
        ObjectSpec(key="parts", parts=(3000, 400)),
        ObjectSpec(key="wrong-row", parts=(3000, 500)),
        ObjectSpec(key="sp ace", size=3600),
        ObjectSpec(key="a//b", size=3700),
        ObjectSpec(key="empty", size=0),
    ]
    desk = make_desk(*specs)
    rails = Railway.beside(desk)
    rails.add("kms-row", 3100)
    rails.add("parts-row", 3200)
    rails.add("wrong-row", 3500, checksum="AAAAAAAAAAAAAAAAAAAAAA==")
    desk.plan()
    summary = desk.copy(*words)
    assert ways(summary) == (3, 7)
    records = desk.records()
    assert {key: record["proof"] for key, record in records.items() if "server-side" in (record["notes"] or "")} == {
        "etag": "etag-md5", "kms-row": "rails-md5", "parts-row": "rails-md5",
    }  # fmt: skip
    assert "rails-md5-differs" in records["wrong-row"]["notes"]
    assert identical(desk) == len(specs)


def test_an_object_under_a_customer_s_key_is_never_pulled(make_desk: MakeDesk) -> None:
    desk = make_desk(ObjectSpec(key="secret", size=100, encryption="SSE-C"), ObjectSpec(key="other", size=100))
    desk.plan("--inventory", str(desk.deliver()))
    summary = desk.copy(*AUTO, *OF_ROWS, expect=1)
    assert summary["requests"]["azure"] == {"PutBlobFromURL": 1}
    assert desk.records()["secret"]["reason"] == "E400-SOURCE"


def test_a_large_object_is_pulled_in_blocks_and_proven_before_the_commit(
    make_desk: MakeDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("blobmove.core.transfer.MAX_WHOLE_BYTES", MIB)
    size = 5 * MIB // 2
    desk = make_desk(
        ObjectSpec(key="large", size=size, checksum="CRC64NVME", headers=HEADERS),
        ObjectSpec(key="no-crc", size=size), ObjectSpec(key="parts", parts=(MIB, MIB), checksum="CRC64NVME"),
    )
    desk.plan()
    summary = desk.copy(*SERVER, *OF_ROWS, "--block-size", "512KiB", "--access-tier", "Cool")
    assert ways(summary) == (1, 2)
    assert summary["requests"]["azure"]["PutBlockFromURL"] == 5
    record, blob = desk.records()["large"], desk.blob("large")
    assert (record["proof"], len(record["crc64"])) == ("crc64nvme", 16)
    assert blob is not None
    assert (blob.content_md5, blob.headers, blob.tier) == (blob.md5, HEADERS, "Cool")
    assert identical(desk) == 3
    again = desk.copy(*SERVER)
    assert again["requests"]["azure"] == {}


def test_a_large_blob_that_is_there_already_is_not_pulled_again(
    make_desk: MakeDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("blobmove.core.transfer.MAX_WHOLE_BYTES", 1000)
    same, other = (ObjectSpec(key=key, size=5000, checksum="CRC64NVME") for key in ("same", "other"))
    desk = make_desk(same, other)
    desk.cloud.put_blobs(desk.container, BlobSpec(name="same", size=5000), BlobSpec(name="other", size=5001))
    desk.plan()
    summary = desk.copy(*SERVER, expect=1)
    assert "PutBlockFromURL" not in summary["requests"]["azure"]
    records = desk.records()
    assert (records["same"]["state"], records["other"]["reason"]) == ("present", "destination-differs")


@pytest.mark.parametrize("operation", ["PutBlobFromURL", "PutBlockFromURL", "PutBlockList"])
def test_a_lost_answer_costs_another_request_and_nothing_else(
    operation: str, make_desk: MakeDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    if operation != "PutBlobFromURL":
        monkeypatch.setattr("blobmove.core.transfer.MAX_WHOLE_BYTES", 1000)
    desk = make_desk(ObjectSpec(key="one", size=150_000, checksum="CRC64NVME"))
    desk.plan()
    rule = desk.cloud.rule(Rule(side="azure", do="lost", operation=operation, count=1))
    summary = desk.copy(*SERVER, "--block-size", "64KiB")
    assert desk.cloud.fired(rule).fired == 1
    assert (ways(summary), summary["outcomes"]["copied"], identical(desk)) == ((1, 0), 1, 1)


@pytest.mark.parametrize("blocks", [False, True])
def test_a_bit_flipped_on_the_way_to_azure_is_refused_and_the_object_streamed(
    blocks: bool, make_desk: MakeDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    if blocks:
        monkeypatch.setattr("blobmove.core.transfer.MAX_WHOLE_BYTES", 1000)
    desk = make_desk(ObjectSpec(key="one", size=150_000, checksum="CRC64NVME"))
    desk.plan()
    rule = desk.cloud.rule(Rule(side="s3", do="flip", operation="GetObject", count=1))
    summary = desk.copy(*SERVER, "--block-size", "64KiB")
    assert (ways(summary), desk.cloud.fired(rule).fired) == ((0, 1), 1)
    assert (desk.records()["one"]["attempts"], identical(desk)) == (2, 1)
    blob = desk.blob("one")
    assert blob is not None
    assert blob.writes == 1, "the wrong bytes were never committed"


def test_what_changed_went_or_is_archived_ends_as_it_would_have_streamed(make_desk: MakeDesk) -> None:
    desk = make_desk(*(ObjectSpec(key=key, size=100) for key in ("changed", "gone", "fine")))
    desk.put(ObjectSpec(key="cold", size=100, storage_class="GLACIER"))
    rails = Railway.beside(desk)
    for key in ("changed", "gone", "fine", "cold"):
        rails.add(key, 100)
    desk.plan("--inventory", str(desk.deliver(fields=("Size", "ETag"))))
    desk.put(ObjectSpec(key="changed", size=100, recipe="mod251:9"))
    desk.cloud.remove(desk.bucket, "gone")
    desk.copy(*SERVER, *OF_ROWS, expect=1)
    records = desk.records()
    assert {key: record["state"] for key, record in records.items()} == {
        "changed": "changed", "gone": "gone", "fine": "copied", "cold": "skipped",
    }  # fmt: skip
    assert records["cold"]["reason"] == "archived"


def test_under_auto_what_azure_cannot_read_is_streamed_object_by_object(make_desk: MakeDesk) -> None:
    desk = make_desk(*(ObjectSpec(key=f"k{number}", size=900) for number in range(6)))
    desk.plan()
    desk.cloud.rule(refusing("k[0-2]"))
    summary = desk.copy(*AUTO)
    assert ways(summary) == (3, 3)
    assert (summary["transfer"]["given_up"], identical(desk)) == ("", 6)


@pytest.mark.parametrize(("status", "code"), [
    (403, "CannotVerifyCopySource"), (501, "APINotImplemented"), (412, "SourceConditionNotMet"),
    (500, "CannotVerifyCopySource"), (403, "AuthorizationFailure"), (400, "InvalidHeaderValue"),
])  # fmt: skip
def test_under_auto_azure_is_asked_no_more_once_it_has_refused_many_in_a_row(
    status: int, code: str, make_desk: MakeDesk
) -> None:
    desk = make_desk(*(ObjectSpec(key=f"k{number}", size=900) for number in range(40)))
    desk.plan()
    desk.cloud.rule(refusing(status=status, code=code))
    run = desk.run("copy", "--resume", "--json", "--concurrency", "2", *AUTO)
    asked = run.summary["requests"]["azure"]["PutBlobFromURL"]
    assert 10 <= asked <= (40 if status == 500 else 14), "500 is tried again"
    assert (ways(run.summary), run.summary["transfer"]["given_up"]) == ((0, 40), code)
    assert identical(desk) == 40


def test_a_bucket_that_is_closed_to_azure_is_streamed_since_it_is_open_to_us(make_desk: MakeDesk) -> None:
    desk = make_desk(*(ObjectSpec(key=f"k{number}", size=900) for number in range(3)))
    desk.plan()
    # What a policy with aws:SourceIp does: the first GET of each key is Azure's.
    desk.cloud.rule(Rule(side="s3", do="answer", operation="GetObject", status=403, code="AccessDenied", nth=(1,),
                         per_key=True))
    assert ways(desk.copy(*AUTO)) == (0, 3)
    assert identical(desk) == 3


def test_with_server_a_run_that_azure_cannot_serve_ends_with_the_words_to_type(make_desk: MakeDesk) -> None:
    desk = make_desk(*(ObjectSpec(key=f"k{number}", size=900) for number in range(3)))
    desk.plan()
    desk.cloud.rule(refusing())
    run = desk.run("copy", "--resume", *SERVER, expect=2)
    assert "E403-PULL" in run.err
    assert "403 CannotVerifyCopySource" in run.err
    assert "blobmove copy --resume --transfer auto" in run.err
    assert {record["state"] for record in desk.report()} == {"pending"}
    assert ways(desk.copy(*AUTO)) == (0, 3)


def test_with_server_one_object_that_azure_cannot_read_fails_alone(make_desk: MakeDesk) -> None:
    desk = make_desk(*(ObjectSpec(key=f"k{number}", size=900) for number in range(3)))
    desk.plan()
    rule = desk.cloud.rule(refusing("k1"))
    assert ways(desk.copy(*SERVER, expect=1)) == (2, 0)
    record = desk.records()["k1"]
    assert (record["state"], record["reason"]) == ("failed", "E403-PULL")
    desk.cloud.drop_rule(rule)
    assert ways(desk.copy(*SERVER, "--retry-failed")) == (1, 0)


def test_a_busy_source_slows_the_pulls_down_and_all_arrive(make_desk: MakeDesk) -> None:
    desk = make_desk(*(ObjectSpec(key=f"k{number}", size=900) for number in range(60)))
    desk.plan()
    rule = desk.cloud.rule(Rule(side="s3", do="answer", operation="GetObject", code="SlowDown", probability=0.3))
    summary = desk.copy(*SERVER)
    assert desk.cloud.fired(rule).fired > 0
    assert (ways(summary), identical(desk)) == ((60, 0), 60)
    assert summary["retries"] >= desk.cloud.fired(rule).fired


def test_urls_are_signed_for_the_moment_and_stand_in_no_text(make_desk: MakeDesk) -> None:
    desk = make_desk(*(ObjectSpec(key=f"k{number}", size=900) for number in range(3)))
    desk.environment["AWS_SESSION_TOKEN"] = token = "T" * 300
    desk.cloud.know(Key(access_key="AKIACLOUD", secret_key="cloud-secret", token=token))
    desk.plan()
    desk.cloud.rule(Rule(side="azure", do="answer", operation="PutBlobFromURL", key="k1", status=400,
                         code="InvalidHeaderValue",
                         message="x-ms-copy-source http://host/k1?X-Amz-Signature=0123456789abcdef is wrong"))
    run = desk.run("copy", "--resume", "--json", "-vv", "--log-file", "run.log", *SERVER, expect=None)
    texts = [run.out, run.err, (desk.folder / "run.log").read_text(), str(desk.rows("SELECT * FROM object")),
             str(desk.rows("SELECT * FROM run"))]
    for text in texts:
        assert "X-Amz-Signature" not in text
        assert token not in text
        assert "0123456789abcdef" not in text
    assert desk.records()["k1"]["state"] == "failed"
    assert desk.records()["k0"]["state"] == "copied"


def test_a_url_that_is_too_long_is_not_sent(make_desk: MakeDesk) -> None:
    desk = make_desk(ObjectSpec(key="one", size=900), ObjectSpec(key="two", size=900))
    desk.environment["AWS_SESSION_TOKEN"] = "T" * 2000
    desk.plan()
    summary = desk.copy(*SERVER)
    assert ways(summary) == (0, 2)
    assert "PutBlobFromURL" not in summary["requests"]["azure"]
    assert identical(desk) == 2


def test_an_existing_blob_is_compared_and_only_our_own_earlier_one_replaced(make_desk: MakeDesk) -> None:
    desk = make_desk(*(ObjectSpec(key=key, size=900) for key in ("same", "other", "mine")))
    desk.cloud.put_blobs(desk.container, BlobSpec(name="same", size=900), BlobSpec(name="other", size=901))
    desk.plan()
    desk.copy(*SERVER, expect=1)
    records = desk.records()
    assert {key: record["state"] for key, record in records.items()} == {
        "same": "present", "other": "conflict", "mine": "copied"}
    desk.put(ObjectSpec(key="mine", size=950, recipe="mod251:5"))
    desk.plan()
    assert ways(desk.copy(*SERVER, expect=1)) == (1, 0)
    mine = desk.blob("mine")
    assert mine is not None
    assert (mine.size, mine.writes) == (950, 2)


def test_uncommitted_blocks_and_slow_answers_are_no_obstacle(make_desk: MakeDesk) -> None:
    desk = make_desk(ObjectSpec(key="one", size=900))
    desk.cloud.put_blobs(desk.container, BlobSpec(
        name="one", committed=False, staged=(("000001", "mod251", 10),)))
    desk.cloud.weather("azure", Weather(latency_ms=5))
    try:
        desk.plan()
        assert ways(desk.copy(*SERVER)) == (1, 0)
    finally:
        desk.cloud.weather("azure", Weather())
    assert identical(desk) == 1


def test_who_asks_for_a_text_reads_how_many_went_which_way(make_desk: MakeDesk) -> None:
    desk = make_desk(ObjectSpec(key="one", size=900), ObjectSpec(key="sp ace", size=900))
    desk.plan()
    text = desk.run("copy", "--resume", *AUTO).out
    assert "pulled 1 object, 900 B; 1 streamed" in text


@pytest.mark.servers
def test_an_emulator_that_cannot_pull_is_streamed_to_under_auto_and_named_under_server(
    make_desk: MakeDesk, azure_server: Server
) -> None:
    desk = make_desk(*(ObjectSpec(key=f"k{number}", size=900 + number) for number in range(14)))
    del desk.environment["AZURE_STORAGE_SAS_TOKEN"]
    desk.environment["AZURE_STORAGE_CONNECTION_STRING"] = connection_string(azure_server.url)
    ends = ("--source", desk.source, "--destination", f"{azure_server.url}/{desk.container}", "--create-container")
    desk.run("plan", *ends, "--list")
    run = desk.run("copy", "--resume", *SERVER, expect=2)
    assert "E403-PULL" in run.err
    summary = desk.copy(*AUTO, "--concurrency", "2")
    assert ways(summary) == (0, 14)
    assert summary["transfer"]["given_up"]
    assert desk.verify()["identical"] == 14
