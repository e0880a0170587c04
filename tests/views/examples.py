"""One result of each command, with numbers that add up, for the golden texts and the JSON documents."""

from __future__ import annotations

from blobmove.checkpoint.journal import FlipRun
from blobmove.core.diagnosis import Area, Diagnosis, Finding, Level
from blobmove.core.events import Sample
from blobmove.core.flip_results import FlipResult
from blobmove.core.model import State
from blobmove.core.plan_results import Forecast, InventoryFacts, PlanChange, PlanResult, RailsCheck, SizeBucket
from blobmove.core.results import CopySummary, Failure, StatusResult, Totals, VerifyResult
from blobmove.core.units import GIB, KIB, MIB

SOURCE = "s3://acme-prod-uploads"
DESTINATION = "https://acmeprod.blob.core.windows.net/uploads"

PLAN = PlanResult(
    plan="7f3a91",
    source=SOURCE,
    destination=DESTINATION,
    checkpoint="blobmove.db",
    inventory=InventoryFacts("Parquet", "2026-11-21T01:00:00Z", files=2, rows=1_210, outside=8, twice=2),
    listed=1_200,
    to_copy=1_000,
    to_copy_bytes=3 * GIB,
    unknown_sizes=0,
    settled=0,
    skipped={"delete-marker": 120, "old-version": 70, "archived": 9},
    refused={"name-trailing-dot": 1},
    sizes=(
        SizeBucket(64 * KIB, 600, 20 * MIB),
        SizeBucket(MIB, 300, 108 * MIB),
        SizeBucket(32 * MIB, 99, 896 * MIB),
        SizeBucket(GIB, 0, 0),
        SizeBucket(None, 1, 2 * GIB),
    ),
    storage_classes={"STANDARD": 990, "GLACIER_IR": 10},
    proofs={"etag-md5": 950, "multipart-etag": 50},
    rails=RailsCheck(rows=960, by_service={"amazon": 950, "mirror": 10}, matched=955, missing_attached=2,
                     missing_unattached=3, size_differs=0, checksum_differs=0, objects_without_row=45),
    forecast=Forecast((90.0, 600.0), {"s3_requests": 0.0004, "egress": 0.27, "total": 0.2704},
                      {"s3_get": 1_062, "azure_write": 1_063}),
    samples=(("1k2v9x4q", 86_118), ("2026/péché mortel.pdf", None)),
)
CHANGED_PLAN = PlanChange("11aa22", new=310, changed=12)

TOTALS = Totals(
    {State.COPIED: 700, State.PRESENT: 10, State.SKIPPED: 199, State.REFUSED: 1, State.FAILED: 3, State.PENDING: 287},
    {State.COPIED: 2 * GIB, State.PRESENT: 512 * MIB, State.SKIPPED: 7 * MIB, State.REFUSED: 1 * MIB,
     State.FAILED: 3 * MIB, State.PENDING: 509 * MIB},
)

DIAGNOSIS = Diagnosis(
    source=SOURCE,
    destination=DESTINATION,
    checkpoint="blobmove.db",
    findings=(
        Finding(Area.SOURCE, "bucket", Level.OK,
                f"{SOURCE} (eu-west-1): reachable, list allowed, 1,000 objects or more"),
        Finding(Area.SOURCE, "inventory", Level.WARNING, "CSV of 2026-11-20T01:00Z, 2 d old",
                "uploads since then are not in it", "plan once more with --list before the cut-over",
                figures={"age_seconds": 172_800}),
        Finding(Area.DESTINATION, "credentials", Level.FAILURE, "no Azure credentials were found", hint="az login",
                code="E401-DESTINATION", exit_code=4),
        Finding(Area.DATABASE, "table", Level.ABSENT, "not configured",
                hint="set DATABASE_URL as Rails does, or --database-url-file FILE"),
    ),
    seconds=1.2,
    next="blobmove doctor",
)

SUMMARY = CopySummary(
    plan="7f3a91",
    source=SOURCE,
    destination=DESTINATION,
    totals=TOTALS,
    reasons={"delete-marker": 120, "old-version": 70, "archived": 9, "name-trailing-dot": 1, "E403-SOURCE": 3},
    proofs={"etag-md5": 680, "multipart-etag": 30},
    notes={"metadata-renamed": 4},
    bytes_read=2 * GIB,
    bytes_written=2 * GIB,
    requests_s3={"GetObject": 730},
    requests_azure={"PutBlob": 680, "PutBlock": 64, "PutBlockList": 20},
    retries=1,
    seconds=128.0,
    next="blobmove copy --resume",
    stopped="interrupted",
)

SAMPLE = Sample(
    elapsed=61.0,
    totals=TOTALS,
    bytes_per_second=64.0 * MIB,
    objects_per_second=20.0,
    eta_seconds=95.0,
    in_flight=48,
    concurrency=64,
    retried=41,
    memory_used=700 * MIB,
    state="limited by Azure (503 ServerBusy)",
)

VERIFY = VerifyResult("listing", checked=713, identical=710, different=1, missing=2, extra=4, read_back=5,
                      examples=(("logo.png", "size differs"), ("a/b.pdf", "missing")), seconds=9.0,
                      next="blobmove copy --resume --retry-failed")

STATUS = StatusResult(SUMMARY, running="copy", pid=4121, eta_seconds=95.0, rate=64.0 * MIB,
                      planned_at="2026-11-22T12:31:00Z", last_verify=None,
                      failures=(Failure("8c0m\x1b[2J.pdf", "failed", "E403-SOURCE", "S3 403 AccessDenied", 3),))

FLIP = FlipResult(
    from_services=("amazon", "mirror"),
    to_service="azure",
    dry_run=True,
    run=None,
    rows=1_955,
    flipped=1_951,
    refused={"not-copied": 3, "size-differs": 1},
    remaining=0,
    by_service={"amazon": 1_945, "mirror": 10},
    proven_by_service={"amazon": 1_941, "mirror": 10},
    examples={"not-copied": ("17", "18", "19"), "size-differs": ("4",)},
    batches=2,
    batch_size=1_000,
    statement="UPDATE active_storage_blobs SET service_name = 'azure'\n WHERE id IN (1, 2, 3);",
    database="mysql://db.internal/acme_production",
    other_services={"local": 12},
    next="blobmove flip-service --from amazon --from mirror --to azure",
)

RUNS = (
    FlipRun(1, "2026-11-22T10:00:00Z", None, "srv", "mysql://db/acme", ("amazon",), "azure", None, "ops1", "deploy",
            None, None, rows=100, flipped=98, unsettled=1),
    FlipRun(2, "2026-11-22T11:00:00Z", "2026-11-22T11:00:09Z", "srv", "mysql://db/acme", ("azure",), "amazon", 1,
            "ops1", "deploy", None, {"flipped": 98}, rows=98, flipped=98, unsettled=0),
)
