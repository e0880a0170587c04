"""Settings: what is shown of them can be pasted again."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from blobmove.core.settings import DEFAULT_CHECKPOINT, Address, for_checkpoint


def test_a_command_names_the_checkpoint_only_where_it_is_not_the_default() -> None:
    assert for_checkpoint("blobmove status", DEFAULT_CHECKPOINT) == "blobmove status"
    assert for_checkpoint("blobmove status", Path("acme.db")) == "blobmove status --checkpoint acme.db"


def test_a_checkpoint_with_a_blank_in_its_name_is_one_word_of_the_command() -> None:
    command = for_checkpoint("blobmove status", Path("/srv/acme files/it's.db"))
    assert shlex.split(command) == ["blobmove", "status", "--checkpoint", "/srv/acme files/it's.db"]


@pytest.mark.parametrize(("address", "text"), [
    (Address("127.0.0.1", 9464), "127.0.0.1:9464"),
    (Address("localhost", 0), "localhost:0"),
    (Address("::1", 9464), "[::1]:9464"),
])
def test_an_address_is_written_as_in_a_url(address: Address, text: str) -> None:
    assert str(address) == text
