"""The error tree: what went wrong, named by what the operator can do about it.

    BlobmoveError                one sentence, a cause, a hint that can be pasted, a stable code
    ├── UsageError         2     change the command, the settings or the surroundings they name
    ├── RefusedError       3     the request would be unsafe: wrong or started checkpoint, bad input data
    ├── AccessError        4     obtain or renew credentials, or a permission
    ├── DifferenceError    5     the destination is not what was recorded: look before going on
    ├── LimitReached       6     a limit that was asked for; run again when it suits
    ├── HeldError         11     another process works with this checkpoint: wait for it or stop it
    ├── Interrupted      130     type it again when it suits: nothing had begun
    └── Terminated       143     likewise

    StoreError                   one answer of one store, classified at the door that knows it;
                                 never seen by the operator as such

Anything else that reaches the porch is a bug: exit 70 and a crash file.
"""

from __future__ import annotations

from enum import Enum, StrEnum, auto
from typing import ClassVar


class BlobmoveError(Exception):
    """Base of everything an operator can cause or cure.

    `code` is stable (docs/reference/errors.md), `message` one sentence without a full stop, `cause` what the
    other side said, `hint` something to type or to do. None of them may hold a secret.
    """

    exit_code: ClassVar[int] = 1

    def __init__(self, code: str, message: str, *, cause: str | None = None, hint: str | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.cause = cause
        self.hint = hint


class UsageError(BlobmoveError):
    """Raised when a command, a setting or what it names (bucket, endpoint, disk, table) cannot work."""

    exit_code = 2


class RefusedError(BlobmoveError):
    """Raised when going on would be unsafe: another migration's checkpoint, damaged input, no approval."""

    exit_code = 3


class AccessError(BlobmoveError):
    """Raised when credentials are missing, expired or not allowed to do what is needed."""

    exit_code = 4


class DifferenceError(BlobmoveError):
    """Raised when verification found something missing or different."""

    exit_code = 5


class LimitReached(BlobmoveError):
    """Raised when a run stopped at a limit the operator asked for."""

    exit_code = 6


class Interrupted(BlobmoveError):
    """Raised when SIGINT came before there was anything to drain."""

    exit_code = 130


class Terminated(BlobmoveError):
    """Raised when SIGTERM came before there was anything to drain."""

    exit_code = 143


class HeldError(BlobmoveError):
    """Raised when another process holds the checkpoint."""

    exit_code = 11


class Side(StrEnum):
    """Which end of the copy an answer came from."""

    SOURCE = "source"
    DESTINATION = "destination"


class Kind(Enum):
    """What an answer of a store means for the object and for the run."""

    TRANSIENT = auto()    # try again after a pause: 500, timeout, connection lost, body cut short
    THROTTLED = auto()    # try again, and slow down: 503 SlowDown, ServerBusy, 429
    CORRUPT = auto()      # bytes differ from the checksum: fetch and send again
    EXPIRED = auto()      # the credential ran out: renew it and try again
    CHANGED = auto()      # the source is no longer what the plan saw: 412 on If-Match
    MISSING = auto()      # the object is not there (any more)
    ARCHIVED = auto()     # Glacier: must be restored first
    EXISTS = auto()       # the destination already holds a blob of that name, or not the one we wrote
    DISTURBED = auto()    # another writer stages or commits under this name: look again, start over
    DENIED = auto()       # 403 that may concern this object only
    REJECTED = auto()     # 400 and the like: will be the same answer next time, for this object
    STOP_ACCESS = auto()  # concerns every object: unknown key, bad signature, account access refused
    STOP_CONFIG = auto()  # concerns every object: bucket or container gone, API version refused
    UNREACHABLE = auto()  # no connection at all


class StoreError(Exception):
    """One answer of one store, classified.

    `code` is the service's own error code or a name of ours for a transport error; `detail` is text for people,
    already without secrets; `retry_after` in seconds where the service said so. `written_etag` is the etag of a blob
    this attempt has written and does not trust.
    """

    def __init__(
        self,
        side: Side,
        kind: Kind,
        code: str,
        detail: str = "",
        *,
        status: int = 0,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(f"{side} {status} {code}: {detail}")
        self.side = side
        self.kind = kind
        self.code = code
        self.detail = detail
        self.status = status
        self.retry_after = retry_after
        self.written_etag: str | None = None


class PullRefused(StoreError):
    """Azure did not copy from a URL, for a cause that lies with the source or with copying from it at all.

    `source_status` and `source_code` are what the source answered Azure; 0 and "" where that is not told. Always
    REJECTED: what it means is decided where S3's own words are known.
    """

    def __init__(
        self, code: str, detail: str = "", *, status: int = 0, source_status: int = 0, source_code: str = ""
    ) -> None:
        super().__init__(Side.DESTINATION, Kind.REJECTED, code, detail, status=status)
        self.source_status = source_status
        self.source_code = source_code
