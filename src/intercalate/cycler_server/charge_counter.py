"""A counter of charge for a channel that has none."""

import json
import math
import time
from pathlib import Path


class ChargeCounter:
    """Counter of charge that outlives the server, in a small file.

    What flowed while nobody counted is the last current for as long as its technique could last: an upper
    bound, so that no capacity is passed unnoticed.
    """

    def __init__(self, path: Path):
        self._path = path
        try:
            kept = json.loads(path.read_text())
        except (OSError, ValueError):
            kept = {}
        self.charge_ah = float(kept.get("charge_ah", 0.0))
        self._current_a = float(kept.get("current_a", 0.0))
        self._unix_s = float(kept.get("unix_s", math.nan))
        self._until_s = float(kept.get("until_s", math.inf))
        self._written_s = -math.inf
        self._was_away = True

    def until(self, unix_s: float) -> None:
        """Say when what is started next has ended at the latest."""
        self._until_s = unix_s

    def add(self, unix_s: float, current_a: float) -> float:
        """Take in a reading; returns the charge so far, Ah."""
        if math.isfinite(self._unix_s):
            passed_s = max(0.0, min(unix_s, self._until_s) - self._unix_s)
            mean_a = self._current_a if self._was_away else 0.5 * (self._current_a + current_a)
            self.charge_ah += mean_a * passed_s / 3600.0
        self._was_away = False
        started = self._current_a != 0.0
        self._unix_s, self._current_a = unix_s, current_a
        if time.monotonic() - self._written_s > 1.0 or started != (current_a != 0.0):
            self._write()
        return self.charge_ah

    def _write(self) -> None:
        content = {
            "charge_ah": self.charge_ah,
            "current_a": self._current_a,
            "unix_s": self._unix_s,
            "until_s": self._until_s,
        }
        self._path.parent.mkdir(parents=True, exist_ok=True)
        hidden = self._path.with_suffix(".part")
        hidden.write_text(json.dumps(content))
        hidden.replace(self._path)
        self._written_s = time.monotonic()
