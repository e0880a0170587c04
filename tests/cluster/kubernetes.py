"""The schemas of the kinds that the manifests use, cut out of Kubernetes' own: `python -m tests.cluster.kubernetes`.

Give it folders as kubernetes-validate (on PyPI) has them: `kubernetes-json-schema/v1.37.0-local-strict`. It writes
kubernetes.json beside itself: every definition that the kinds lead to, without what only people read.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any, Final

KINDS: Final = {
    "Namespace": "io.k8s.api.core.v1.Namespace",
    "ServiceAccount": "io.k8s.api.core.v1.ServiceAccount",
    "ConfigMap": "io.k8s.api.core.v1.ConfigMap",
    "PersistentVolumeClaim": "io.k8s.api.core.v1.PersistentVolumeClaim",
    "Service": "io.k8s.api.core.v1.Service",
    "Deployment": "io.k8s.api.apps.v1.Deployment",
    "Job": "io.k8s.api.batch.v1.Job",
}
FILE: Final = Path(__file__).with_name("kubernetes.json")
_PREFIX: Final = "#/$defs/"
_FOR_PEOPLE: Final = ("description", "x-kubernetes-list-map-keys", "x-kubernetes-list-type",
                      "x-kubernetes-patch-merge-key", "x-kubernetes-patch-strategy", "x-kubernetes-map-type",
                      "x-kubernetes-unions", "x-kubernetes-group-version-kind")


def schemas() -> dict[str, dict[str, Any]]:
    """The definitions by the version of Kubernetes."""
    found: dict[str, dict[str, Any]] = json.loads(FILE.read_text())
    return found


def errors(version: str, document: dict[str, Any]) -> list[str]:
    """What is wrong with a manifest, in the words of the schema: unknown, missing and mistyped fields."""
    from jsonschema import Draft202012Validator

    validator = Draft202012Validator({"$defs": schemas()[version], "$ref": _PREFIX + KINDS[document["kind"]]})
    return [f"{error.json_path}: {error.message}" for error in validator.iter_errors(document)]


def reduced(definitions: dict[str, Any]) -> dict[str, Any]:
    """The definitions that the kinds lead to."""
    found: dict[str, Any] = {}
    waiting = list(KINDS.values())
    while waiting:
        name = waiting.pop()
        if name not in found:
            found[name] = _without_words(definitions[name], waiting)
    return dict(sorted(found.items()))


def _without_words(value: Any, waiting: list[str]) -> Any:  # noqa: ANN401 - JSON
    if isinstance(value, list):
        return [_without_words(one, waiting) for one in value]
    if not isinstance(value, dict):
        return value
    made = {}
    for name, one in value.items():
        if name == "$ref":
            target = one[one.index(_PREFIX) + len(_PREFIX):]
            waiting.append(target)
            made[name] = _PREFIX + target
        elif name not in _FOR_PEOPLE or isinstance(one, dict):
            made[name] = _without_words(one, waiting)
    return made


if __name__ == "__main__":
    told = {Path(folder).name.removeprefix("v").partition("-")[0]:
            reduced(json.loads((Path(folder) / "_definitions.json").read_text())["$defs"])
            for folder in sys.argv[1:]}
    FILE.write_text(json.dumps(told, separators=(",", ":"), sort_keys=True) + "\n")
