"""Events: values that a worker can send to others, and a listener for those who want to hear nothing."""

from __future__ import annotations

import pickle
from dataclasses import fields
from typing import get_args

import pytest

from blobmove.core.events import Event, Note, Sample, silent
from blobmove.core.results import Effort, Totals


@pytest.mark.parametrize("kind", get_args(Event))
def test_what_is_said_is_a_value_that_travels(kind: type) -> None:
    names = [field.name for field in fields(kind)]
    said = kind(*range(len(names)))
    assert [getattr(said, name) for name in names] == list(range(len(names)))
    assert said != kind(*range(1, len(names) + 1))
    assert not hasattr(said, "__dict__")
    assert pickle.loads(pickle.dumps(said)) == said  # noqa: S301 - our own: events of workers travel like this


def test_a_sample_of_a_run_by_itself_tells_of_no_workers_and_no_effort() -> None:
    sample = Sample(1.0, Totals({}, {}), 0.0, 0.0, None, 0, 8, 0, 0, "reading")
    assert sample.workers == ()
    assert sample.effort == Effort()


def test_the_silent_listener_takes_any_event() -> None:
    silent(Note("nobody hears this"))
