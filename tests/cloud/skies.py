"""Weather at work: latency, bandwidth shared by all connections of a side, and a hidden limit of requests a second."""

from __future__ import annotations

from random import Random

from tests.cloud.specs import Weather


class Sky:
    """The weather of one side; times in seconds of one monotonic clock."""

    def __init__(self, weather: Weather) -> None:
        self.weather = weather
        self.calm = not (weather.latency_ms or weather.jitter_ms or weather.bandwidth)
        self._random = Random(weather.seed)
        self._free_at = 0.0
        self._tokens = max(1.0, (weather.limit or 0.0) / 10)
        self._counted_at = 0.0
        self.refused = 0

    def over_limit(self, now: float) -> bool:
        """Whether this request comes too fast; one that is taken uses up its place."""
        limit = self.weather.limit
        if limit is None:
            return False
        if self._counted_at:
            gained = (now - self._counted_at) * limit
            self._tokens = min(max(1.0, limit / 10), self._tokens + gained)
        self._counted_at = now
        if self._tokens < 1:
            self.refused += 1
            return True
        self._tokens -= 1
        return False

    def latency(self) -> float:
        """Seconds before the next answer."""
        return (self.weather.latency_ms + self._random.random() * self.weather.jitter_ms) / 1000

    def passage(self, size: int, now: float) -> float:
        """Seconds until `size` bytes are through the pipe, behind all that went in before."""
        if not self.weather.bandwidth:
            return 0.0
        self._free_at = max(now, self._free_at) + size / self.weather.bandwidth
        return self._free_at - now
