"""Links lead somewhere, shown settings are accepted, shown commands have the flags they are shown with."""

from __future__ import annotations

import json
import re
import shlex
import tomllib
from typing import TYPE_CHECKING

import pytest

from blobmove.cli.configfile import keys_of, known_keys, read_file
from blobmove.cli.verbs import VERBS, load
from tests.docs.pages import ROOT, all_pages, anchors, blocks, commands, links, prose, read, rows

if TYPE_CHECKING:
    from pathlib import Path

PAGES = [page.relative_to(ROOT).as_posix() for page in all_pages()]


@pytest.mark.parametrize("page", PAGES)
def test_every_link_leads_to_a_file_and_a_heading_of_it(page: str) -> None:
    broken = []
    for target in links(read(page)):
        assert not target.startswith("/"), f"{target} is an absolute path"
        if re.match(r"https?://", target):
            continue
        name, _, anchor = target.partition("#")
        path = (ROOT / page).parent / name if name else ROOT / page
        if not path.exists() or (anchor and anchor not in anchors(path.read_text(encoding="utf-8"))):
            broken.append(target)
    assert broken == []


def test_every_page_can_be_reached_from_the_map_or_the_readme() -> None:
    reached = {"README.md", "docs/index.md"}
    for start in ("README.md", "docs/index.md"):
        for target in links(read(start)):
            path = ((ROOT / start).parent / target.partition("#")[0]).resolve()
            if path.is_relative_to(ROOT):
                reached.add(path.relative_to(ROOT).as_posix())
    assert set(PAGES) <= reached


@pytest.mark.parametrize("page", PAGES)
def test_the_rows_of_each_table_have_as_many_cells_as_its_heading(page: str) -> None:
    lines = prose(read(page)).splitlines()
    widths: list[int] = []
    for line in lines:
        if not line.startswith("|"):
            widths = []
            continue
        widths.append(len(re.findall(r"(?<!\\)\|", line)))
        assert widths[-1] == widths[0], line


@pytest.mark.parametrize("page", PAGES)
def test_shown_json_is_json(page: str) -> None:
    for block in blocks(read(page), "json"):
        json.loads(block)


@pytest.mark.parametrize("page", PAGES)
def test_shown_settings_are_accepted(page: str, tmp_path: Path) -> None:
    for number, block in enumerate(blocks(read(page), "toml")):
        file = tmp_path / f"{number}.toml"
        file.write_text(block, encoding="utf-8")
        tomllib.loads(block)
        assert read_file(file, known_keys()).of("copy") is not None


@pytest.mark.parametrize("page", PAGES)
def test_shown_commands_and_flags_exist(page: str) -> None:
    for line in commands(read(page)):
        words = shlex.split(line.partition(" > ")[0].partition(" | ")[0])
        if words[0] == "blobmove" and words[1:2] not in ([], ["--help"], ["--version"], ["config"]):
            assert words[1] in VERBS, line
            known = {flag for option in load(words[1]).params for flag in option.opts}
            assert {word for word in words[2:] if word.startswith("-")} <= known, line
        elif words[0].startswith("scripts/"):
            assert (ROOT / words[0]).exists(), line


def test_the_page_of_settings_knows_every_flag() -> None:
    shown = {row[0].strip("`") for row in rows(read("docs/reference/configuration.md"))}
    for name in VERBS:
        flags = {max(option.opts, key=len) for option in keys_of(load(name)).values() if option.envvar}
        assert flags <= shown


@pytest.mark.parametrize("page", [page for page in PAGES if "/how-to/" in page])
def test_a_guide_does_not_talk_down_to_its_reader(page: str) -> None:
    assert re.findall(r"\b(?:simply|just|obviously|easily)\b", prose(read(page)), re.IGNORECASE) == []


@pytest.mark.parametrize("page", [page for page in PAGES if "/reference/" in page or "/explanation/" in page])
def test_reference_and_explanation_address_nobody(page: str) -> None:
    assert re.findall(r"\b(?:you|your)\b", prose(read(page)), re.IGNORECASE) == []
