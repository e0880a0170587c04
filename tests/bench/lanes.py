"""Results made up for tests."""

from __future__ import annotations

from tests.bench.cases import BY_NAME
from tests.bench.results import Lane, Results, Run


def a_run(cpu: float, *, wall: float = 10.0, rss: int = 50 << 20, complete: bool = True) -> Run:
    """A run that took `cpu` seconds, with a GET and a PUT for each of 20,000 objects."""
    return Run(wall, cpu, rss, complete, {"s3.GetObject": 20_000, "azure.PutBlob": 20_000})


def a_lane(contestant: str, *runs: Run, case: str = "4k", tls: bool = False, objects: int | None = None) -> Lane:
    known = BY_NAME[case]
    number = known.objects if objects is None else objects
    return Lane(case, tls, 0.0, contestant, number, known.bytes, ["--flag"], list(runs))


def some_results() -> Results:
    """rclone 400 us an object, blobmove 150, the bare path 120."""
    return Results({"rclone": "v1"}, [
        a_lane("rclone", a_run(8.0, rss=120 << 20)), a_lane("blobmove", a_run(3.0)), a_lane("bare", a_run(2.4)),
    ])
