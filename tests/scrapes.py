"""Reading metrics as Prometheus does: over HTTP, with the parser of its own client library."""

from __future__ import annotations

import re
import urllib.error
import urllib.request
from dataclasses import dataclass
from typing import TYPE_CHECKING

from prometheus_client.parser import text_string_to_metric_families

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.acceptance.commands import Process

SECONDS = 10.0
_TOLD = re.compile(r"metrics at (http://\S+/metrics)")


@dataclass(frozen=True, slots=True)
class Scrape:
    """One answer: what each series said, by its name and labels."""

    text: str
    series: Mapping[tuple[str, frozenset[tuple[str, str]]], float]

    @classmethod
    def of(cls, text: str) -> Scrape:
        return cls(text, {
            (sample.name, frozenset(sample.labels.items())): sample.value
            for family in text_string_to_metric_families(text) for sample in family.samples
        })  # fmt: skip

    @classmethod
    def at(cls, url: str, accept: str = "text/plain") -> Scrape:
        """Raises urllib.error.URLError where nobody answers."""
        asked = urllib.request.Request(url, headers={"Accept": accept})  # noqa: S310 - a URL that the command has told
        with urllib.request.urlopen(asked, timeout=SECONDS) as answer:  # noqa: S310
            return cls.of(answer.read().decode())

    def __call__(self, name: str, /, **labels: str) -> float:
        """The value of one series. Raises KeyError where there is none."""
        return self.series[name, frozenset(labels.items())]

    def by(self, label: str, name: str, /, **labels: str) -> dict[str, float]:
        """The values of all series of this name that have these labels, by another label."""
        wanted = frozenset(labels.items())
        return {dict(given)[label]: value for (known, given), value in self.series.items()
                if known == name and wanted <= given and label in dict(given)}

    def labels(self) -> set[str]:
        """The names of all labels."""
        return {name for _, given in self.series for name, _ in given}


def url_of(process: Process) -> str:
    """Where a running command says its metrics are; waits until it says so."""
    process.until(lambda: _TOLD.search(process.written()) is not None, "it says where its metrics are")
    told = _TOLD.search(process.written())
    assert told is not None
    return told[1]


def until_copied(process: Process, url: str) -> None:
    """Wait until some objects are copied, as the metrics say."""
    process.until(lambda: Scrape.at(url).by("outcome", "blobmove_objects_total").get("copied", 0) > 0,
                  "some objects are copied")


def at_rest(process: Process, url: str) -> Scrape:
    """A scrape of a paused run that has nothing under way any more, nor had in the sample before."""
    seen: list[Scrape] = []

    def still() -> bool:
        now = Scrape.at(url)
        if now("blobmove_in_flight"):
            seen.clear()
        elif not seen or now("blobmove_elapsed_seconds") > seen[-1]("blobmove_elapsed_seconds"):
            seen.append(now)
        return len(seen) > 1

    process.until(still, "nothing is under way")
    return seen[-1]


def is_closed(url: str) -> bool:
    """Whether nobody answers there."""
    try:
        Scrape.at(url)
    except urllib.error.URLError:
        return True
    return False
