"""The sample reports in inventory/ are what scripts/make-inventory makes, and all three say the same."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from tests.stores.inventory.reports import FORMATS, read

ROOT = Path(__file__).parents[3]
SCRIPT = ROOT / "scripts" / "make-inventory"


def make_inventory(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, SCRIPT, *arguments], capture_output=True, text=True, check=False)


def test_the_checked_in_reports_are_as_the_script_makes_them() -> None:
    done = make_inventory("--check")
    assert (done.returncode, done.stderr) == (0, ""), done.stdout


def test_the_check_finds_a_changed_a_missing_and_a_strange_file(tmp_path: Path) -> None:
    assert make_inventory("--folder", str(tmp_path)).returncode == 0
    folder = tmp_path / "csv" / "inventory" / "acme-files" / "blobmove"
    (folder / "2026-11-20T01-00Z" / "manifest.checksum").write_text("0" * 32)
    (folder / "hive" / "dt=2026-11-20-01-00" / "symlink.txt").unlink()
    (folder / "notes.txt").touch()
    done = make_inventory("--check", "--folder", str(tmp_path))
    assert done.returncode == 1
    assert sorted(line.rpartition(": ")[2] for line in done.stdout.splitlines()) == [
        "differs",
        "missing",
        "not made by this script",
    ]


async def test_the_three_samples_hold_the_same_fifteen_rows(tmp_path: Path) -> None:
    read_back = [await read(ROOT / "inventory" / name.lower(), tmp_path / "w", "acme-files") for name in FORMATS]
    assert read_back[0] == read_back[1] == read_back[2]
    assert len(read_back[0]) == 15
    assert {row.key for row in read_back[0] if row.is_delete_marker} == {"labels/withdrawn.pdf"}
    logos = [row.version_id for row in read_back[0] if row.key == "invoices/logo.svg"]
    assert logos == ["nM9bV3cX7zL1kJ5hG8f", "null"]


def test_the_configuration_asks_for_the_columns_of_the_samples() -> None:
    wanted = json.loads((ROOT / "inventory" / "inventory-configuration.json").read_text())
    manifest = next((ROOT / "inventory" / "csv").rglob("manifest.json"))
    schema = json.loads(manifest.read_text())["fileSchema"].split(", ")
    assert [column for column in schema if column in wanted["OptionalFields"]] == wanted["OptionalFields"]
