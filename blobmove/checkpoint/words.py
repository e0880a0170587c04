"""The dictionary of the checkpoint: texts that many rows share, kept once; rows hold their numbers."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from typing import Final, TypeAlias

from blobmove.checkpoint.schema import FIRST_WORD

MOST: Final = 2000
"""More different texts than this (content types with parameters of their own, say) are kept in the rows themselves."""
_LONGEST: Final = 200

Stored: TypeAlias = int | str | None
"""What a column holds: the number of a word, or the text itself."""


class Texts(dict[Stored, str | None]):
    """From what a column holds to its text. A dictionary, because it is asked several times for every row."""

    def __init__(self, db: sqlite3.Connection) -> None:
        super().__init__({None: None})
        self._db = db

    def __missing__(self, stored: Stored) -> str | None:
        if isinstance(stored, str):
            return stored
        self.update(self._db.execute("SELECT id, text FROM word"))  # also what another connection has learnt since
        return self.get(stored)


class Words:
    """The dictionary as one connection sees it. Only a writer may take up new words, inside its transaction."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        self._numbers: dict[str, int] = {}
        self.texts = Texts(db)

    def number(self, text: str | None) -> int | str | None:
        """What a column is to hold for this text: its number, or the text itself where it is not in the dictionary."""
        if text is None:
            return None
        return self._numbers.get(text) or self.learn((text,)).get(text, text)

    def learn(self, texts: Iterable[str]) -> dict[str, int]:
        """Take texts into the dictionary, in the caller's transaction; the numbers of those that are in it now."""
        if not self._numbers:
            self._numbers.update(self._db.execute("SELECT text, id FROM word"))
        for text in texts:
            if text not in self._numbers and len(self._numbers) < MOST and len(text) <= _LONGEST:
                number = max(FIRST_WORD - 1, *self._numbers.values()) + 1
                self._db.execute("INSERT INTO word VALUES (?, ?)", (number, text))
                self._numbers[text] = number
        return self._numbers

    def forget(self) -> None:
        """What was learnt in a transaction that is rolled back is not in the file."""
        self._numbers.clear()
        self.texts = Texts(self._db)
