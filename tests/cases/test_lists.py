"""Groups `bucket` and `inventory`: where the list of objects comes from, and what is refused as a list."""

from __future__ import annotations

import gzip
import json

from blobmove.core.containers import container_problem
from tests.cases.catalogue import Case, of, of_group
from tests.cases.conftest import MakeDesk
from tests.cloud.specs import ObjectSpec


@of_group("bucket")
def test_a_plan_without_a_destination_suggests_a_container(case: Case, make_desk: MakeDesk) -> None:
    assert case.outcome == "suggested"
    run = make_desk().run("plan", "--source", f"s3://{case.told['bucket']}", "--list", "--json", expect=2)
    container = case.expect["container"]
    assert container_problem(container) is None
    assert run.document["hint"].endswith(f"--destination https://ACCOUNT.blob.core.windows.net/{container}")


@of("V01")
def test_a_key_of_a_csv_report_is_decoded(case: Case, make_desk: MakeDesk) -> None:
    name = case.expect["dest_name"]
    desk = make_desk(case.spec(key=name))
    manifest = desk.deliver("CSV")
    (data,) = manifest.parents[1].glob("data/*.csv.gz")
    assert f'"{case.told["inventory"]["raw_key"]}"' in gzip.decompress(data.read_bytes()).decode()
    desk.plan("--inventory", str(manifest))
    desk.copy()
    assert desk.records()[name]["state"] == "copied"
    desk.holds(case, desk.blob(name))


@of("V03")
def test_a_manifest_that_is_not_what_was_signed_is_refused(case: Case, make_desk: MakeDesk) -> None:
    assert case.outcome == "refused"
    desk = make_desk(ObjectSpec(key="one", size=10))
    manifest = desk.deliver("CSV")
    manifest.with_name("manifest.checksum").write_text(case.told["inventory"]["manifest.checksum"])
    error = desk.plan("--inventory", str(manifest), expect=3)
    assert (error["type"], bool(error["code"]), bool(error["cause"] or error["hint"])) == ("error", True, True)
    assert "manifest" in error["message"]
    assert not (desk.folder / "blobmove.db").exists(), "nothing was begun"


@of("V05")
def test_a_report_of_keys_alone_is_enough(case: Case, make_desk: MakeDesk) -> None:
    desk = make_desk(case.spec())
    manifest = desk.deliver("CSV", fields=())
    assert json.loads(manifest.read_text())["fileSchema"] == case.told["inventory"]["fileSchema"]
    plan = desk.plan("--inventory", str(manifest))
    assert (plan["objects"]["to_copy"], plan["objects"]["unknown_sizes"], plan["bytes"]["to_copy"]) == (1, 1, 0)
    desk.copy()
    record = desk.ended(case)
    assert (record["size"], record["source_etag"], record["proof"]) == (case.size, case.md5, "etag-md5")
    desk.holds(case)


@of("V07")
def test_an_object_younger_than_the_report_is_found_by_the_next_plan(case: Case, make_desk: MakeDesk) -> None:
    assert case.outcome == "copied_in_delta"
    desk = make_desk(ObjectSpec(key="inv/early", size=10))
    desk.plan("--inventory", str(desk.deliver("ORC")))
    desk.put(case.spec())
    desk.copy()
    assert case.key not in desk.records()
    assert desk.plan("--list")["change"]["new"] == 1
    summary = desk.copy()
    assert summary["requests"]["azure"] == {"PutBlob": 1}, "only what is new"
    assert desk.records()[case.key]["state"] == "copied"
    desk.holds(case)
