"""The manifests of the how-to: whole, wired to each other, without a secret, and with words that the commands know."""

from __future__ import annotations

import copy
import subprocess
import sys
from typing import Any

import pytest
import yaml

from tests.cluster.kubernetes import errors, schemas
from tests.docs.pages import ROOT

DOCUMENTS: list[dict[str, Any]] = list(yaml.safe_load_all((ROOT / "docs/how-to/cluster-on-aks.yaml").read_text()))
BY_NAME = {(one["kind"], one["metadata"]["name"]): one for one in DOCUMENTS}
PODS = {name: one["spec"]["template"] for name, one in BY_NAME.items() if name[0] in ("Deployment", "Job")}


def test_there_are_a_scheduler_workers_and_one_copy() -> None:
    assert set(PODS) == {("Deployment", "scheduler"), ("Deployment", "workers"), ("Job", "copy")}
    assert {one["metadata"].get("namespace", "blobmove") for one in DOCUMENTS} == {"blobmove"}


@pytest.mark.parametrize("version", schemas())
@pytest.mark.parametrize("name", BY_NAME)
def test_every_manifest_is_what_kubernetes_expects(name: tuple[str, str], version: str) -> None:
    assert errors(version, BY_NAME[name]) == []


@pytest.mark.parametrize("version", schemas())
def test_the_schemas_find_unknown_missing_and_mistyped_fields(version: str) -> None:
    job = copy.deepcopy(BY_NAME["Job", "copy"])
    pod = job["spec"]["template"]["spec"]
    job["spec"]["backofLimit"] = 1
    pod["containers"][0]["resurces"] = {}
    pod["terminationGracePeriodSeconds"] = "long"
    del pod["containers"][0]["name"]
    told = "\n".join(errors(version, job))
    assert [word for word in ("backofLimit", "resurces", "'long'", "'name' is a required") if word not in told] == []


@pytest.mark.parametrize("name", PODS)
def test_every_volume_and_map_that_is_named_is_there(name: tuple[str, str]) -> None:
    spec = PODS[name]["spec"]
    volumes = {volume["name"]: volume for volume in spec["volumes"]}
    for container in spec["containers"]:
        assert {mount["name"] for mount in container["volumeMounts"]} <= set(volumes)
        for source in container["envFrom"]:
            if "configMapRef" in source:
                assert ("ConfigMap", source["configMapRef"]["name"]) in BY_NAME
    for volume in volumes.values():
        claim = volume.get("persistentVolumeClaim")
        assert claim is None or ("PersistentVolumeClaim", claim["claimName"]) in BY_NAME


@pytest.mark.parametrize("name", [("Deployment", "scheduler"), ("Deployment", "workers")])
def test_a_deployment_selects_its_own_pods(name: tuple[str, str]) -> None:
    labels = PODS[name]["metadata"]["labels"]
    assert BY_NAME[name]["spec"]["selector"]["matchLabels"].items() <= labels.items()


def test_the_service_leads_to_the_scheduler() -> None:
    service = BY_NAME["Service", "scheduler"]["spec"]
    pod = PODS["Deployment", "scheduler"]
    assert service["selector"].items() <= pod["metadata"]["labels"].items()
    ports = [port["containerPort"] for port in pod["spec"]["containers"][0]["ports"]]
    assert [port["targetPort"] for port in service["ports"]] == ports


def test_only_workers_and_the_copy_have_credentials_and_none_is_written_down() -> None:
    for (_, name), pod in PODS.items():
        secrets = [source for source in pod["spec"]["containers"][0]["envFrom"] if "secretRef" in source]
        assert bool(secrets) == (name != "scheduler")
    values = BY_NAME["ConfigMap", "blobmove"]["data"]
    assert not [name for name in values if "SECRET" in name or "TOKEN" in name or name.endswith("_KEY_ID")]
    assert not [one for one in DOCUMENTS if one["kind"] == "Secret"]


def test_a_copy_has_more_time_to_drain_than_it_takes() -> None:
    from blobmove.operations.running import DRAIN_SECONDS

    assert PODS["Job", "copy"]["spec"]["terminationGracePeriodSeconds"] > DRAIN_SECONDS


def test_the_words_of_the_copy_are_understood() -> None:
    from blobmove.cli.verbs import load

    program, verb, *words = PODS["Job", "copy"]["spec"]["containers"][0]["command"]
    assert program == "blobmove"
    with load(verb).make_context(verb, list(words)) as context:
        assert context.params["scheduler"] == "tls://scheduler.blobmove:8786"


@pytest.mark.parametrize("name", ["scheduler", "workers"])
def test_the_words_of_dask_are_understood(name: str) -> None:
    words = PODS["Deployment", name]["spec"]["containers"][0]["command"]
    kind = words[1]
    told = subprocess.run([sys.executable, "-m", f"distributed.cli.dask_{kind}", "--help"],
                          capture_output=True, text=True, check=True).stdout
    for word in words[2:]:
        if word.startswith("--"):
            assert word.partition("=")[0] in told, word
