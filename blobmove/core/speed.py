"""How fast a run goes, and when it will be done."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field


@dataclass(slots=True)
class RateWindow:
    """Bytes and objects a second over the last `seconds`, and the time left at that pace."""

    seconds: float = 120.0
    _points: deque[tuple[float, int, int]] = field(default_factory=deque)

    def add(self, now: float, bytes_done: int, objects_done: int) -> None:
        """Note the running totals at time `now` (seconds)."""
        self._points.append((now, bytes_done, objects_done))
        while len(self._points) > 2 and now - self._points[0][0] > self.seconds:
            self._points.popleft()

    def rates(self) -> tuple[float, float]:
        """Bytes a second and objects a second."""
        if len(self._points) < 2:
            return 0.0, 0.0
        (t0, b0, n0), (t1, b1, n1) = self._points[0], self._points[-1]
        span = t1 - t0
        return ((b1 - b0) / span, (n1 - n0) / span) if span > 0 else (0.0, 0.0)

    def eta(self, bytes_left: int, objects_left: int, elapsed: float) -> float | None:
        """Seconds left, or None while it is too early to say (30 s, or nothing done yet).

        Objects and bytes both cost time; the slower of both answers is the honest one.
        """
        per_byte, per_object = self.rates()
        if elapsed < 30 or per_object <= 0:
            return None
        by_objects = objects_left / per_object
        return max(by_objects, bytes_left / per_byte) if per_byte > 0 else by_objects
