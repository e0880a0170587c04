"""Events: values that nobody can change once they are said, and a listener for those who want to hear nothing."""

from __future__ import annotations

import pickle
from dataclasses import FrozenInstanceError, fields
from typing import get_args

import pytest

from blobmove.core.events import Event, Note, Sample, silent
from blobmove.core.results import Effort, Totals


@pytest.mark.parametrize("kind", get_args(Event))
def test_what_is_said_cannot_be_changed_by_one_listener_for_the_next(kind: type) -> None:
    names = [field.name for field in fields(kind)]
    said = kind(*range(len(names)))
    assert [getattr(said, name) for name in names] == list(range(len(names)))
    with pytest.raises(FrozenInstanceError):
        setattr(said, names[0], "other")
    assert pickle.loads(pickle.dumps(said)) == said  # noqa: S301 - our own: events of workers travel like this


def test_a_sample_of_a_run_by_itself_tells_of_no_workers_and_no_effort() -> None:
    sample = Sample(1.0, Totals({}, {}), 0.0, 0.0, None, 0, 8, 0, 0, "reading")
    assert sample.workers == ()
    assert sample.effort == Effort()


def test_the_silent_listener_takes_any_event() -> None:
    silent(Note("nobody hears this"))
