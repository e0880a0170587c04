"""`copy --reverse` on the simulated cloud: what was born on Azure goes to S3, proven; nothing there is overwritten."""

from __future__ import annotations

import json
from functools import partial
from typing import Any, Final

import pytest

from tests.cases.conftest import MakeDesk
from tests.cases.desk import Desk
from tests.cases.railway import Railway
from tests.cases.test_kills import killed
from tests.cloud.content import Mod251
from tests.cloud.facts import StoredObject
from tests.cloud.specs import BlobSpec, ObjectSpec, Rule

MIB: Final = 1 << 20
LARGE: Final = ("--whole-object-limit", "1MiB", "--block-size", "5MiB")
BIG: Final = BlobSpec(name="big", size=23 * MIB + 5)


@pytest.fixture
def desk(make_desk: MakeDesk) -> Desk:
    """A finished copy of one object; blobs are born afterwards."""
    made = make_desk(ObjectSpec(key="old", size=10))
    made.plan()
    made.copy()
    made.cloud.reset_counts()
    return made


def born(desk: Desk, *blobs: BlobSpec) -> None:
    """Write blobs that S3 knows nothing of, and their keys into keys.jsonl."""
    desk.cloud.put_blobs(desk.container, *blobs)
    lines = [json.dumps({"key": blob.name, "size": blob.size}) for blob in blobs]
    (desk.folder / "keys.jsonl").write_text("\n".join(lines), encoding="utf-8")


def back(desk: Desk, *words: str, expect: int = 0, by: tuple[str, ...] = ("--keys", "keys.jsonl")) -> dict[str, Any]:
    """`copy --reverse --json`: its summary, held against what must be true of every run."""
    summary = desk.run("copy", "--reverse", "--resume", "--json", *by, *words, expect=expect).summary
    outcomes, rows = summary["outcomes"], ledger(desk)
    assert summary["direction"] == "reverse"
    assert summary["planned"] == sum(outcomes.values())
    for state, number in outcomes.items():
        assert number == sum(row["state"] == state for row in rows.values()), state
    return dict(summary)


def ledger(desk: Desk) -> dict[str, dict[str, Any]]:
    """The rows of the last run by key."""
    names = ("key", "state", "reason", "proof", "notes", "upload", "source_etag")
    rows = desk.rows(f"SELECT {', '.join(names)} FROM reverse_object WHERE run = (SELECT max(run) FROM reverse_object)")
    return {str(row[0]): dict(zip(names, row, strict=True)) for row in rows}


def counted(summary: dict[str, Any]) -> dict[str, int]:
    return {state: number for state, number in summary["outcomes"].items() if number}


def objects(desk: Desk) -> dict[str, StoredObject]:
    return {one.key: one for one in desk.cloud.objects(desk.bucket, digests=True)}


def md5(size: int) -> str:
    from hashlib import md5 as of

    return of(Mod251(size).read(0, size)).hexdigest()


def test_small_and_large_blobs_go_back_byte_for_byte_and_the_plan_is_left_alone(desk: Desk) -> None:
    born(desk, BlobSpec(name="a", size=5000), BlobSpec(name="dir/ü +1", size=70_000), BlobSpec(name="empty"), BIG)
    before = desk.report(), desk.rows("SELECT * FROM tally")
    summary = back(desk, *LARGE)
    assert (counted(summary), summary["proofs"]) == ({"copied": 4}, {"azure-md5": 4})
    assert summary["source"] == desk.destination
    assert summary["destination"] == desk.source
    found = objects(desk)
    assert {key: found[key].md5 for key in ("a", "dir/ü +1", "empty", "big")} == {
        "a": md5(5000), "dir/ü +1": md5(70_000), "empty": md5(0), "big": md5(BIG.size),
    }  # fmt: skip
    assert found["big"].etag.endswith("-5")
    assert (desk.report(), desk.rows("SELECT * FROM tally")) == before
    assert desk.copy()["outcomes"]["copied"] == 1
    assert desk.run("flip-service", "--runs").code == 0


def test_a_second_run_asks_both_sides_whether_all_is_still_so_and_moves_nothing(desk: Desk) -> None:
    born(desk, BlobSpec(name="a", size=5000), BIG)
    first = back(desk, *LARGE)
    again = back(desk)
    assert (counted(again), again["proofs"]) == (counted(first), first["proofs"])
    assert again["bytes"]["read"] == again["bytes"]["written"] == 0
    assert again["requests"] == {"s3": {"HeadObject": 2}, "azure": {"GetBlobProperties": 2}}


def test_what_has_vanished_from_s3_since_is_copied_once_more(desk: Desk) -> None:
    born(desk, BlobSpec(name="a", size=5000), BlobSpec(name="b", size=50))
    back(desk)
    desk.cloud.remove(desk.bucket, "a")
    assert back(desk)["requests"]["s3"]["PutObject"] == 1
    assert objects(desk)["a"].md5 == md5(5000)


@pytest.mark.parametrize("spec", [
    ObjectSpec(key="a", size=5000), ObjectSpec(key="a", size=5000, encryption="aws:kms"),
    ObjectSpec(key="a", parts=(4000, 1000)), ObjectSpec(key="a", parts=(4000, 1000), checksum="CRC64NVME"),
    ObjectSpec(key="a", size=5000, encryption="aws:kms", checksum="SHA256"),
], ids=["etag", "kms", "parts", "crc64nvme", "sha256"])  # fmt: skip
@pytest.mark.parametrize("words", [(), ("--whole-object-limit", "0", "--block-size", "64KiB")], ids=["small", "large"])
def test_an_object_that_is_there_is_present_if_it_has_the_same_bytes_however_s3_knows_it(
    spec: ObjectSpec, words: tuple[str, ...], desk: Desk
) -> None:
    born(desk, BlobSpec(name="a", size=5000))
    desk.cloud.put(desk.bucket, spec)
    assert counted(back(desk, *words)) == {"present": 1}
    desk.cloud.put(desk.bucket, ObjectSpec.from_json(spec.to_json() | {"recipe": "mod251:9"}))
    etag = objects(desk)["a"].etag
    summary = back(desk, *words, expect=1)
    assert (counted(summary), summary["reasons"]) == ({"conflict": 1}, {"object-differs": 1})
    assert objects(desk)["a"].etag == etag, "never overwritten"
    assert summary["failures"][0]["key"] == "a"


def test_an_object_of_another_size_is_a_conflict_without_a_byte_being_read(desk: Desk) -> None:
    born(desk, BlobSpec(name="a", size=5000))
    desk.cloud.put(desk.bucket, ObjectSpec(key="a", size=4000))
    summary = back(desk, expect=1)
    assert (counted(summary), summary["bytes"]["read"]) == ({"conflict": 1}, 0)


def test_headers_and_metadata_go_back_and_renamed_names_are_restored(desk: Desk) -> None:
    headers = {"Content-Type": "image/png", "Cache-Control": "max-age=60", "Content-Disposition": "inline",
               "Content-Encoding": "gzip", "Content-Language": "de"}  # fmt: skip
    original = ObjectSpec(key="a", size=5000, headers=headers, metadata={"a-b": "two  blanks", "plain": "x"})
    desk.put(original)
    desk.plan()
    desk.copy()
    blob = desk.blob("a")
    assert blob is not None
    assert "rename_key_a_b" in blob.metadata
    desk.cloud.remove(desk.bucket, "a")
    (desk.folder / "keys.jsonl").write_text('{"key": "a"}')
    assert counted(back(desk)) == {"copied": 1}
    desk.plan()
    again = desk.copy()
    assert again["notes"] == {"metadata-renamed": 1}
    restored = desk.cloud.object_headers(desk.bucket, "a")
    assert {name: restored[name] for name in headers} == headers
    assert {name: value for name, value in restored.items() if name.startswith("x-amz-meta-")} == {
        "x-amz-meta-a-b": "two  blanks", "x-amz-meta-plain": "x",
    }  # fmt: skip


@pytest.mark.parametrize(("blob", "proof", "notes"), [
    (BlobSpec(name="a", size=5000), "azure-md5", []),
    (BlobSpec(name="a", size=5000, md5="none"), "read-back", []),
])  # fmt: skip
@pytest.mark.parametrize("words", [(), ("--whole-object-limit", "0", "--block-size", "64KiB")], ids=["small", "large"])
def test_without_a_row_the_stored_md5_proves_or_two_readings(
    blob: BlobSpec, proof: str, notes: list[str], words: tuple[str, ...], desk: Desk
) -> None:
    born(desk, blob)
    summary = back(desk, *words)
    assert (counted(summary), summary["proofs"]) == ({"copied": 1}, {proof: 1})
    assert objects(desk)["a"].md5 == md5(5000)


def test_an_md5_of_azure_s_own_that_the_bytes_do_not_have_is_never_copied(desk: Desk) -> None:
    born(desk, BlobSpec(name="a", size=5000, md5="AAAAAAAAAAAAAAAAAAAAAA=="), BlobSpec(name="b", size=7))
    summary = back(desk, expect=1)
    assert (counted(summary), summary["reasons"]) == ({"copied": 1, "failed": 1}, {"E422-DESTINATION": 1})
    assert "a" not in objects(desk)


@pytest.mark.parametrize("words", [(), LARGE], ids=["small", "large"])
def test_a_bit_that_flips_on_either_leg_is_noticed_and_the_bytes_are_sent_again(
    words: tuple[str, ...], desk: Desk
) -> None:
    born(desk, BlobSpec(name="a", size=6 * MIB))
    desk.cloud.rule(Rule(side="azure", do="flip", operation="GetBlob", nth=(1,)))
    desk.cloud.rule(Rule(side="s3", do="flip", operation="PutObject", nth=(1,), leg="in"))
    desk.cloud.rule(Rule(side="s3", do="flip", operation="UploadPart", nth=(2,), leg="in"))
    assert counted(back(desk, *words)) == {"copied": 1}
    assert objects(desk)["a"].md5 == md5(6 * MIB)


@pytest.mark.parametrize("operation", ["PutObject", "UploadPart", "CompleteMultipartUpload", "CreateMultipartUpload"])
def test_a_write_whose_answer_is_lost_ends_as_copied(operation: str, desk: Desk) -> None:
    born(desk, BlobSpec(name="a", size=500_000), BIG)
    desk.cloud.rule(Rule(side="s3", do="lost", operation=operation, nth=(1,)))
    assert counted(back(desk, *LARGE)) == {"copied": 2}
    assert objects(desk)["big"].md5 == md5(BIG.size)


@pytest.mark.parametrize(("operation", "key"), [("UploadPart", "big"), ("CompleteMultipartUpload", "big")])
def test_an_upload_that_fails_is_aborted(operation: str, key: str, desk: Desk) -> None:
    born(desk, BIG, BlobSpec(name="small", size=5))
    desk.cloud.rule(Rule(side="s3", do="answer", operation=operation, key=key, status=400, code="InvalidRequest"))
    summary = back(desk, *LARGE, expect=1)
    assert (counted(summary), summary["reasons"]) == ({"copied": 1, "failed": 1}, {"E400-SOURCE": 1})
    assert summary["requests"]["s3"]["AbortMultipartUpload"] == 1
    assert desk.cloud.uploads(desk.bucket) == []
    for rule in desk.cloud.rules():
        desk.cloud.drop_rule(rule.id)
    assert counted(back(desk, *LARGE)) == {"copied": 2}


@pytest.mark.parametrize(("operation", "size"), [("PutObject", 5000), ("CompleteMultipartUpload", 6 * MIB)])
@pytest.mark.parametrize(("recipe", "outcome"), [("mod251", "present"), ("mod251:3", "conflict")])
def test_somebody_else_s_object_that_comes_meanwhile_is_compared_and_left_alone(
    operation: str, size: int, recipe: str, outcome: str, desk: Desk
) -> None:
    born(desk, BlobSpec(name="a", size=size), BlobSpec(name="b", size=5000))
    late = ObjectSpec(key="a", size=size, recipe=recipe)
    rule = Rule(side="s3", do="overwrite", operation=operation, key="a", nth=(1,), replacement=late.to_json())
    desk.cloud.rule(rule)
    assert counted(back(desk, *LARGE, expect=int(outcome == "conflict"))) == {outcome: 1, "copied": 1}
    found = objects(desk)["a"]
    assert "-" not in found.etag, "never overwritten"
    assert (found.md5 == md5(size)) == (outcome == "present")
    assert desk.cloud.uploads(desk.bucket) == []


@pytest.mark.parametrize("words", [(), LARGE], ids=["small", "large"])
def test_where_nobody_has_a_checksum_a_second_reading_notices_a_wrong_bit_of_the_first(
    words: tuple[str, ...], desk: Desk
) -> None:
    born(desk, BlobSpec(name="a", size=6 * MIB, md5="none"))
    desk.cloud.rule(Rule(side="azure", do="flip", operation="GetBlob", nth=(1,)))
    summary = back(desk, *words)
    assert (counted(summary), summary["proofs"]) == ({"copied": 1}, {"read-back": 1})
    assert objects(desk)["a"].md5 == md5(6 * MIB)
    assert desk.cloud.uploads(desk.bucket) == []


def test_what_is_missing_on_azure_does_not_show_that_s3_can_be_written(desk: Desk) -> None:
    born(desk, BlobSpec(name="a", size=5000))
    with (desk.folder / "keys.jsonl").open("a") as file:
        file.write("".join(f'\n{{"key": "never-{number}"}}' for number in range(5)))
    desk.cloud.rule(Rule(side="s3", do="answer", operation="PutObject", status=403, code="AccessDenied"))
    run = desk.run("copy", "--reverse", "--resume", "--json", "--keys", "keys.jsonl", expect=4)
    assert counted(run.summary) == {"gone": 5, "pending": 1}


def test_a_blob_that_is_written_anew_meanwhile_is_changed_and_goes_with_the_next_run(desk: Desk) -> None:
    born(desk, BlobSpec(name="a", size=5000))
    rule = desk.cloud.rule(Rule(side="azure", do="stale_etag", operation="GetBlobProperties", key="a", etag="0xOLD"))
    summary = back(desk, expect=1)
    assert (counted(summary), summary["reasons"]) == ({"changed": 1}, {"blob-changed": 1})
    desk.cloud.drop_rule(rule)
    assert counted(back(desk)) == {"copied": 1}


def test_an_archived_blob_cannot_be_read_and_says_so(desk: Desk) -> None:
    born(desk, BlobSpec(name="cold", size=50, tier="Archive"), BlobSpec(name="warm", size=50, tier="Cool"))
    summary = back(desk, expect=1)
    assert (counted(summary), summary["reasons"]) == ({"copied": 1, "failed": 1}, {"E409-DESTINATION": 1})


def test_what_is_not_on_azure_is_gone_and_what_s3_cannot_hold_is_refused(desk: Desk) -> None:
    born(desk, BlobSpec(name="a", size=5, metadata={"long": "v" * 3000}), BlobSpec(name="b", size=5))
    with (desk.folder / "keys.jsonl").open("a") as file:
        file.write('\n{"key": "never"}')
    summary = back(desk, expect=1)
    assert counted(summary) == {"copied": 1, "gone": 1, "refused": 1}
    assert summary["reasons"] == {"metadata-too-large": 1, "not-on-azure": 1}


@pytest.mark.parametrize(("status", "code", "expect"), [(403, "AccessDenied", 4), (400, "ExpiredToken", 4)])
def test_a_bucket_that_nobody_may_write_stops_the_run_and_says_how_to_go_on(
    status: int, code: str, expect: int, desk: Desk
) -> None:
    born(desk, *(BlobSpec(name=f"k{number}", size=5) for number in range(3)))
    desk.cloud.rule(Rule(side="s3", do="answer", operation="PutObject", status=status, code=code))
    run = desk.run("copy", "--reverse", "--resume", "--json", "--keys", "keys.jsonl", expect=expect)
    assert counted(run.summary) == {"pending": 3}
    assert "blobmove copy --reverse --resume --keys keys.jsonl" in run.err


def test_a_run_that_is_killed_among_its_parts_goes_on_and_leaves_no_upload_behind(desk: Desk) -> None:
    born(desk, BlobSpec(name="a", size=5000), BIG)
    rule = desk.cloud.rule(Rule(side="s3", do="hang", operation="UploadPart", nth=(3, 4, 5), seconds=60.0))

    def parts() -> int:
        return desk.cloud.counts().s3.answers.get("UploadPart", {}).get("200", 0)

    killed(desk.start("copy", "--reverse", "--resume", "--keys", "keys.jsonl", *LARGE), lambda: parts() == 2)
    assert len(desk.cloud.uploads(desk.bucket)) == 1
    desk.cloud.drop_rule(rule)
    summary = back(desk, *LARGE)
    assert summary["outcomes"]["copied"] + summary["outcomes"]["present"] == summary["planned"] == 2
    assert desk.cloud.uploads(desk.bucket) == []
    assert objects(desk)["big"].md5 == md5(BIG.size)
    assert {row["upload"] for row in ledger(desk).values()} == {None}


def test_a_run_of_many_is_killed_twice_and_every_blob_is_written_once(desk: Desk) -> None:
    total = 600
    born(desk, *(BlobSpec(name=f"k/{number}", size=100 + number) for number in range(total)))

    def enough(number: int) -> bool:
        return desk.cloud.counts().s3.answers.get("PutObject", {}).get("200", 0) >= number

    for number in (150, 400):
        killed(desk.start("copy", "--reverse", "--resume", "--keys", "keys.jsonl"), partial(enough, number))
    summary = back(desk)
    assert summary["outcomes"]["copied"] + summary["outcomes"]["present"] == summary["planned"] == total
    assert desk.cloud.counts().s3.answers["PutObject"] == {"200": total}
    found = objects(desk)
    assert all(found[f"k/{number}"].md5 == md5(100 + number) for number in range(total))


def test_from_rails_takes_the_rows_that_were_born_on_the_service_and_no_flip_has_let(desk: Desk) -> None:
    rails = Railway.beside(desk)
    rails.add("old", 10)
    desk.plan()
    desk.copy()
    desk.verify()
    desk.run("flip-service", "--from", "amazon", "--to", "azure", "--confirm", "azure")
    born(desk, BlobSpec(name="new", size=5000), BlobSpec(name="wrong", size=60))
    rails.add("new", 5000, service="azure")
    rails.add("wrong", 61, service="azure")
    rails.add("upload-never-came", 7, service="azure")
    rails.add("other", 7, service="mirror")
    summary = back(desk, by=("--from-rails",))
    assert counted(summary) == {"copied": 2, "gone": 1}
    assert summary["proofs"] == {"azure-md5": 1, "rails-md5": 1}
    assert summary["notes"] == {"rails-md5-differs": 1, "rails-size-differs": 1}
    assert set(objects(desk)) == {"old", "new", "wrong"}


def test_without_a_flip_in_the_journal_the_service_must_be_named(desk: Desk) -> None:
    Railway.beside(desk).add("new", 5000, service="azure")
    born(desk, BlobSpec(name="new", size=5000))
    refused = desk.run("copy", "--reverse", "--from-rails", "--yes", expect=2)
    assert "--to" in refused.err
    assert counted(back(desk, "--to", "azure", by=("--from-rails",))) == {"copied": 1}


def test_a_dry_run_says_what_it_would_be_asked_for_and_writes_nothing(desk: Desk) -> None:
    born(desk, BlobSpec(name="a", size=5000))
    told = desk.run("copy", "--reverse", "--keys", "keys.jsonl", "--dry-run", "--json").document
    assert (told["outcomes"]["pending"], told["outcome_bytes"], told["dry_run"]) == (1, {"pending": 5000}, True)
    assert desk.rows("SELECT count(*) FROM sqlite_schema WHERE name = 'reverse_object'") == [(0,)]
    assert set(objects(desk)) == {"old"}


@pytest.mark.parametrize(("words", "code", "said"), [
    (("--reverse",), 2, "--from-rails or --keys"),
    (("--reverse", "--keys", "keys.jsonl", "--from-rails"), 2, "two lists"),
    (("--reverse", "--keys", "keys.jsonl", "--if-exists", "overwrite"), 2, "--if-exists does not go with"),
    (("--reverse", "--keys", "keys.jsonl", "--workers", "2"), 2, "--workers does not go with"),
    (("--reverse", "--keys", "missing.txt", "--yes"), 2, "missing.txt cannot be read"),
    (("--reverse", "--keys", "keys.jsonl"), 3, "blobmove copy --reverse --yes"),
    (("--keys", "keys.jsonl", "--yes"), 2, "--keys goes with --reverse only"),
    (("--from-rails", "--yes"), 2, "--from-rails goes with --reverse only"),
])  # fmt: skip
def test_words_that_make_no_sense_together_are_refused_before_anything_is_done(
    words: tuple[str, ...], code: int, said: str, desk: Desk
) -> None:
    born(desk, BlobSpec(name="a", size=5))
    assert said in desk.run("copy", *words, expect=code).err
    assert set(objects(desk)) == {"old"}


def test_a_plan_s_own_list_in_a_variable_does_not_disturb_a_copy_forward(desk: Desk) -> None:
    desk.environment["BLOBMOVE_KEYS"] = "gone.txt"
    assert desk.copy()["outcomes"]["copied"] == 1


def test_a_stop_at_a_limit_names_the_command_that_goes_on(desk: Desk) -> None:
    born(desk, *(BlobSpec(name=f"k{number}", size=2000) for number in range(30)))
    words = ("--bandwidth", "10K", "--concurrency", "1", "--max-duration", "1s")
    run = desk.run("copy", "--reverse", "--resume", "--json", "--keys", "keys.jsonl", *words, expect=6)
    assert run.summary["outcomes"]["pending"] > 0
    assert "blobmove copy --reverse --resume --keys keys.jsonl" in run.err
    assert run.summary["next"] == "blobmove copy --reverse --resume --keys keys.jsonl"
    assert counted(back(desk)) == {"copied": 30}
