"""Flags and settings fit each other, for every command."""

from __future__ import annotations

import dataclasses
import types
import typing
from pathlib import Path

import click
import pytest

from blobmove.cli.configfile import keys_of
from blobmove.cli.flags import Shared
from blobmove.cli.verbs import VERBS, load
from blobmove.core import flip_settings, plan_settings, settings

KINDS: dict[str, type] = {
    "doctor": plan_settings.DoctorSettings,
    "plan": plan_settings.PlanSettings,
    "copy": settings.CopySettings,
    "verify": settings.VerifySettings,
    "status": settings.StatusSettings,
    "flip-service": flip_settings.FlipSettings,
    "report": settings.ReportSettings,
}
NOT_A_FLAG = {"flip-service": {"confirmed"}}


@pytest.mark.parametrize("name", KINDS)
def test_every_field_of_the_settings_has_a_flag_whose_default_is_of_its_type(name: str) -> None:
    command, kind = load(name), KINDS[name]
    hints = typing.get_type_hints(kind)
    with command.make_context(name, []) as context:
        for field in dataclasses.fields(kind):
            if field.name in NOT_A_FLAG.get(name, ()):
                continue
            assert field.name in context.params, f"no flag for {field.name}"
            value = context.params[field.name]
            assert matches(value, hints[field.name]), f"{field.name}: {value!r} is no {hints[field.name]}"
            assert value == field.default, f"{field.name}: the flag's default differs from the settings' own"


@pytest.mark.parametrize("name", [name for name in VERBS if name not in ("config", "demo")])
def test_every_flag_is_also_a_variable_and_has_a_sentence(name: str) -> None:
    for key, option in keys_of(load(name)).items():
        assert option.envvar == f"BLOBMOVE_{key.upper()}"
        assert option.help


@pytest.mark.parametrize("name", KINDS)
def test_every_command_understands_the_shared_flags(name: str) -> None:
    with load(name).make_context(name, []) as context:
        assert {field.name for field in dataclasses.fields(Shared)} <= set(context.params)


@pytest.mark.parametrize("name", VERBS)
def test_the_line_in_the_list_of_commands_is_the_command_s_own(name: str) -> None:
    first = VERBS[name][1].rstrip(".").split(";")[0].split(",")[0]
    assert first.split()[0] in (load(name).help or "")


def test_no_key_means_two_things_in_the_settings_file() -> None:
    meanings: dict[str, set[str]] = {}
    for name in KINDS:
        for key, option in keys_of(load(name)).items():
            meanings.setdefault(key, set()).add(f"{option.type.name} {option.multiple}")
    assert {key: kinds for key, kinds in meanings.items() if len(kinds) > 1} == {}


def matches(value: object, hint: object) -> bool:
    """Whether a value is of the type a hint names; enough for the hints of our settings."""
    origin = typing.get_origin(hint)
    if origin in (types.UnionType, typing.Union):
        return any(matches(value, inner) for inner in typing.get_args(hint))
    if origin is tuple:
        return isinstance(value, tuple)
    return isinstance(value, Path if hint is Path else typing.cast("type", hint)) if hint is not None else value is None


def test_a_flag_is_never_declared_twice() -> None:
    for name in KINDS:
        flags = [flag for param in load(name).params if isinstance(param, click.Option) for flag in param.opts]
        assert len(flags) == len(set(flags)), name
