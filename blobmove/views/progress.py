"""How a run looks on stderr while it goes: a painted block on a terminal, a thinning row of lines elsewhere."""

from __future__ import annotations

import signal
import threading
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from enum import Enum
from typing import TYPE_CHECKING, Any, Final, TextIO

from blobmove.core.events import Finished, FlipProgress, Note, Problem, Sample, Started, Stopping, Throttled
from blobmove.core.secrets import redact
from blobmove.core.units import format_count
from blobmove.views.layout import PLAIN, Paint, printable
from blobmove.views.pictures import Picture, picture_of_flip, picture_of_sample

if TYPE_CHECKING:
    from types import FrameType, TracebackType

    from tqdm import tqdm

    from blobmove.core.events import Event

LINES_A_KIND: Final = 10
"""So many problems of one kind are shown; the others are counted."""

_BAR: Final = "{desc}▕{bar}▏"

Clock = Callable[[], datetime]


class Style(Enum):
    """Bar: the block is repainted. Line: now and then a line. None: only what is said."""

    BAR = "bar"
    LINE = "line"
    NONE = "none"

    @classmethod
    def chosen(cls, wish: str, *, terminal: bool, quiet: bool) -> Style:
        """The wish, `auto` by what stderr is; a bar needs a terminal."""
        if quiet:
            return cls.NONE
        if wish in ("auto", "bar"):
            return cls.BAR if terminal else cls.LINE
        return cls(wish)


def next_line_at(elapsed: float) -> float:
    """When the next line is due after `elapsed` seconds: at 10 s, 30 s, 1 min, then once a minute."""
    for mark in (10.0, 30.0, 60.0):
        if elapsed < mark:
            return mark
    return 60.0 * (elapsed // 60 + 1)


class Progress:
    """The listener behind stderr; a context manager that clears its block and gives SIGUSR1 back."""

    def __init__(self, stream: TextIO, style: Style, paint: Paint = PLAIN, *, talkative: bool = False,
                 quiet: bool = False, clock: Clock = lambda: datetime.now(UTC)) -> None:
        self._stream, self._style, self._paint = stream, style, paint
        self._talkative, self._quiet, self._clock = talkative, quiet, clock
        self._command = "copy"
        self._wanted = False
        self._due = next_line_at(0)
        self._kinds: Counter[tuple[str, str]] = Counter()
        self._block: Block | None = None
        self._former: Any = None

    def __call__(self, event: Event) -> None:
        """Show one event."""
        match event:
            case Started():
                self._begin(event)
            case Sample():
                self._show(picture_of_sample(event, self._command))
            case FlipProgress():
                self._show(picture_of_flip(event))
            case Problem():
                self._problem(event)
            case Throttled() if self._talkative:
                waiting = f"{event.side}, waiting {event.wait_seconds:.1f} s, concurrency {event.concurrency}"
                self._kind(("throttled", event.code), "throttled", waiting)
            case Stopping():
                rest = f"No new object starts; {event.in_flight} in flight are finishing."
                rest = rest if event.in_flight else "Nothing new is begun; what is under way is finished."
                self._say(self._paint(f"{event.why}. {rest}", "warn"))
            case Note() if not self._quiet:
                self._say(event.text)
            case Finished():
                self._end()
            case _:
                pass

    def _begin(self, event: Started) -> None:
        self._command = event.command
        if not self._quiet:
            self._say(f"Plan {event.plan} · {printable(event.source)} → {event.destination} · {event.checkpoint}")

    def _show(self, picture: Picture) -> None:
        if self._wanted:
            self._wanted = False
            self._log(picture)
        if self._style is Style.BAR:
            if self._block is None:
                self._block = Block(self._stream)
            self._block.paint(picture)
        elif self._style is Style.LINE and picture.elapsed >= self._due:
            self._due = next_line_at(picture.elapsed)
            self._log(picture)

    def _log(self, picture: Picture) -> None:
        self._say(f"{self._clock():%Y-%m-%dT%H:%M:%SZ} {picture.command} {picture.line}")

    def _problem(self, event: Problem) -> None:
        self._kind((event.state, event.code), event.state, f"{printable(event.key, 80)}  {event.detail}")

    def _kind(self, kind: tuple[str, str], word: str, text: str) -> None:
        self._kinds[kind] += 1
        if self._talkative or self._kinds[kind] <= LINES_A_KIND:
            head = self._paint(f"{word:<9}", "warn" if word in ("retried", "throttled") else "bad")
            self._say(f"{self._clock():%H:%M:%S} {head} {text} · {kind[1]}")
        if not self._talkative and self._kinds[kind] == LINES_A_KIND:
            self._say(f"         (further {word} objects with {kind[1]} are only counted)")

    def _say(self, text: str) -> None:
        text = redact(text)
        if self._block is not None:
            self._block.above(text)
        else:
            self._stream.write(text + "\n")
            self._stream.flush()

    def _end(self) -> None:
        if self._block is not None:
            self._block.close()
            self._block = None
        if not self._talkative:
            for (state, code), number in self._kinds.items():
                if number > LINES_A_KIND:
                    self._say(f"{format_count(number - LINES_A_KIND)} more {state} · {code}")
        self._kinds.clear()

    def _on_signal(self, _number: int, _frame: FrameType | None) -> None:
        """Only remembers the wish: writing here could fall into the middle of another write."""
        self._wanted = True

    def __enter__(self) -> Progress:
        if hasattr(signal, "SIGUSR1") and threading.current_thread() is threading.main_thread():
            self._former = signal.signal(signal.SIGUSR1, self._on_signal)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()
        if self._former is not None:
            signal.signal(signal.SIGUSR1, self._former)


class Block:
    """Three lines at the foot of a terminal. tqdm paints; every number and word is ours."""

    def __init__(self, stream: TextIO) -> None:
        from tqdm import tqdm

        tqdm.monitor_interval = 0  # no thread of its own
        tqdm.set_lock(threading.RLock())  # nor a semaphore for processes we do not start
        self._tqdm, self._stream = tqdm, stream
        self._bar = self._line(0, _BAR)
        self._texts = (self._line(1, "{desc}"), self._line(2, "{desc}"))

    def _line(self, position: int, form: str) -> tqdm[Any]:
        return self._tqdm(total=1000, position=position, bar_format=form, file=self._stream, leave=False,
                          dynamic_ncols=True, mininterval=0)

    def paint(self, picture: Picture) -> None:
        """Repaint all three lines."""
        self._bar.n = round(1000 * picture.part)
        self._bar.set_description_str(f"{picture.command}  {picture.percent:>7} ", refresh=False)
        # Not as tqdm's postfix: that would begin with a comma.
        self._bar.bar_format = _BAR + " " + picture.right.replace("{", "{{").replace("}", "}}")
        indent = " " * (len(picture.command) + 3)
        width = (self._bar.format_dict["ncols"] or 100) - 1  # a line that wraps would never be wiped
        for line, text in zip(self._texts, picture.below, strict=True):
            line.set_description_str(redact(indent + text)[:width], refresh=False)
        for line in (self._bar, *self._texts):
            line.refresh()

    def above(self, text: str) -> None:
        """A line that scrolls away above the block."""
        self._tqdm.write(text, file=self._stream)

    def close(self) -> None:
        """Wipe the block."""
        for line in (*reversed(self._texts), self._bar):
            line.close()
