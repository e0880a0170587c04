"""The flags rclone gets for each case: those with which it did best when many were tried on the simulated cloud.

Tried for every case, two or three runs each: --transfers 2-256, --checkers 2-16, --buffer-size 0, --use-mmap,
--no-check-dest, --no-traverse (one request more), --fast-list, --ignore-checksum, --disable-http2, --s3-no-head-object,
--s3-no-system-metadata, --s3-use-unsigned-payload, --s3-use-data-integrity-protections, --azureblob-chunk-size 4Mi-1Gi,
--azureblob-upload-concurrency 1-16, --azureblob-disable-checksum, --azureblob-no-check-container, --order-by,
--multi-thread-cutoff, -streams, -chunk-size, and GOGC=400. What is not listed below made no difference or a worse one.

Without --s3-use-data-integrity-protections its SDK does not compute S3's checksum over what it reads; the MD5 from the
ETag of a single-part object still goes to Azure with Put Blob and is verified there. Blobs up to one chunk are one Put
Blob, which rclone holds in memory: the least CPU, for much memory.
"""

from __future__ import annotations

from typing import Final

_QUIET: Final = ("--no-check-dest", "--azureblob-no-check-container", "--s3-use-data-integrity-protections=false")

_LEAN: Final[dict[str, tuple[str, ...]]] = {
    "4k": ("--transfers=32", "--checkers=4", *_QUIET),
    "64k": ("--transfers=32", "--checkers=4", *_QUIET),
    "1m": ("--transfers=16", "--checkers=4", "--buffer-size=0", *_QUIET),
    "64m": ("--transfers=2", "--checkers=4", "--azureblob-chunk-size=64Mi", *_QUIET),
    "1g": ("--transfers=2", "--checkers=4", "--azureblob-chunk-size=1Gi", "--multi-thread-cutoff=2Gi",
           "--buffer-size=0", *_QUIET),
    "mix": ("--transfers=8", "--checkers=4", "--azureblob-chunk-size=512Mi", "--multi-thread-streams=0", *_QUIET),
}
"""The least CPU, where requests take no time."""

_QUICK: Final[dict[str, tuple[str, ...]]] = {
    "4k": ("--transfers=256", "--checkers=4", *_QUIET),
    "64k": ("--transfers=256", "--checkers=4", *_QUIET),
    "1m": ("--transfers=64", *_QUIET),
    "mix": ("--transfers=64", *_QUIET),
}
"""The shortest time, where every request has latency."""

_PLAIN: Final = {"64m": "--transfers=4", "1g": "--transfers=2"}


def tuned(case: str, *, far: bool) -> tuple[str, ...]:
    """The best flags for a case; `far`: with latency."""
    lean = _LEAN.get(case, _LEAN["4k"])
    return _QUICK.get(case, lean) if far else lean


def plain(case: str, *, far: bool) -> tuple[str, ...]:
    """rclone as it comes, only with enough transfers at a time."""
    return (_PLAIN.get(case, "--transfers=64" if far else "--transfers=32"),)
