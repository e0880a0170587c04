"""Where folders are real: of an object and those that would lie below its name, which give way.

Known are the rows of this list and, of those planned before, the blobs that were written under the name of a folder.
Not looked for is an object whose folder is only that of rows that this list does not name: Azure refuses it.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from typing import Final

from blobmove.checkpoint.schema import PROVEN
from blobmove.core.model import State, slots
from blobmove.core.names import folders

IS_FOLDER: Final = "name-is-folder"
"""The reason of an object whose name is that of a folder, where folders are real."""
BELOW_OBJECT: Final = "name-below-object"
"""The reason of an object that would lie in a folder, where a blob of that name is there already."""
FOLDER_REASONS: Final = (IS_FOLDER, BELOW_OBJECT)

FOLDERS: Final = "CREATE TABLE incoming.folder (slot INTEGER PRIMARY KEY);"

_PAGE: Final = 20_000
_NESTED: Final = (
    "SELECT id, coalesce(blob_name, key) FROM incoming.listed"
    f" WHERE id > ? AND state = '{State.PENDING}' AND instr(coalesce(blob_name, key), '/')"
    f" ORDER BY id LIMIT {_PAGE}"
)
# Also one whose object has moved on since: the blob of the version before is a file all the same.
_WRITTEN: Final = f"(o.state IN ({PROVEN}) OR o.blob_etag IS NOT NULL)"
_FILES: Final = f"SELECT f.slot FROM incoming.folder f CROSS JOIN object_row o ON o.id = f.slot WHERE {_WRITTEN}"
_REFUSE: Final = (
    f"UPDATE incoming.listed AS l SET state = '{State.REFUSED}', reason = '{{reason}}', proof = NULL"
    f" WHERE state = '{State.PENDING}' AND NOT EXISTS (SELECT 1 FROM object_row o WHERE o.id = l.id AND {_WRITTEN})"
)
_REFUSE_BELOW: Final = f"{_REFUSE.format(reason=BELOW_OBJECT)} AND id = ?"
# The object gives way: it is one, and what lies in the folder may be thousands.
_REFUSE_FOLDERS: Final = (
    f"{_REFUSE.format(reason=IS_FOLDER)} AND blob_name IS NULL AND id IN (SELECT slot FROM incoming.folder)"
)


def refuse_folders(db: sqlite3.Connection) -> None:
    """Refuse what cannot be beside the rest, inside the caller's transaction, once `incoming.listed` is complete.

    What is written already stays as it is, and what would lie below it gives way.
    """
    for page in _nested(db):
        names = {folder for _, name in page for folder in folders(name)}
        # In order, since they are hashes: neighbours share a page of the table.
        db.executemany("INSERT OR IGNORE INTO incoming.folder VALUES (?)", ((one,) for one in sorted(slots(names))))
    if files := {slot for (slot,) in db.execute(_FILES)}:
        for page in _nested(db):
            below = [(row,) for row, name in page if not files.isdisjoint(slots(folders(name)))]
            db.executemany(_REFUSE_BELOW, below)
    db.execute(_REFUSE_FOLDERS)


def _nested(db: sqlite3.Connection) -> Iterator[list[tuple[int, str]]]:
    """Row id and blob name of the objects to copy that lie in a folder, a page at a time."""
    last = -1
    while page := db.execute(_NESTED, (last,)).fetchall():
        yield page
        last = page[-1][0]
