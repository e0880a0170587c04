"""The tally: objects and bytes by state, reason, proof and note, kept exact with every change of a row."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from typing import TypeAlias

from blobmove.checkpoint.words import Words

Kind: TypeAlias = tuple[int, int | str | None, int | None, int | str | None]
"""What a row is counted as: state, reason, proof and notes, as the columns of `object_row` hold them."""


class Shift:
    """Objects and bytes that come to a kind, or leave it."""

    def __init__(self) -> None:
        self.objects: dict[Kind, int] = {}
        self.bytes: dict[Kind, int] = {}

    def add(self, kind: Kind, objects: int, size: int) -> None:
        self.objects[kind] = self.objects.get(kind, 0) + objects
        self.bytes[kind] = self.bytes.get(kind, 0) + size

    def move(self, old: Kind, old_size: int | None, new: Kind, new_size: int | None) -> None:
        """One object changes from kind to kind; sizes in bytes, None where unknown."""
        self.add(old, -1, -(old_size or 0))
        self.add(new, 1, new_size or 0)


def change(db: sqlite3.Connection, shift: Shift, words: Words) -> None:
    """Move the tally, inside the caller's transaction."""
    objects: dict[tuple[str, str], int] = {}
    sizes: dict[tuple[str, str], int] = {}
    for kind, number in shift.objects.items():
        for name in _names(kind, words):
            objects[name] = objects.get(name, 0) + number
            sizes[name] = sizes.get(name, 0) + shift.bytes[kind]
    for name, number in objects.items():
        if number or sizes[name]:
            db.execute(
                "INSERT INTO tally VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET"
                " objects = objects + excluded.objects, bytes = bytes + excluded.bytes", (*name, number, sizes[name]),
            )


def recount(db: sqlite3.Connection, words: Words) -> None:
    """Count everything anew, inside the caller's transaction: after a plan, which touches all rows anyway."""
    shift = Shift()
    for *kind, size in db.execute("SELECT state, reason, proof, notes, size FROM object_row"):
        shift.add(tuple(kind), 1, size or 0)
    db.execute("DELETE FROM tally")
    change(db, shift, words)


def _names(kind: Kind, words: Words) -> Iterator[tuple[str, str]]:
    """Under which names a kind is counted."""
    state, reason, proof, notes = (words.texts[part] for part in kind)
    for name, text in (("state", state), ("reason", reason), ("proof", proof)):
        if text:
            yield name, text
    for note in (notes or "").split(",") if notes else ():
        yield "note", note
