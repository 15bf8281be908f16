"""What lies between two steps of a method, as records show them: markers, and loops gone back."""

from collections.abc import Sequence
from typing import Any

from intercalate.protocol.steps import (
    ConstantCurrentConstantVoltage,
    Gitt,
    Loop,
    Marker,
    Pitt,
    Tag,
)

_SEVERAL_SEGMENTS = (ConstantCurrentConstantVoltage, Gitt, Pitt)
_IDLE = (Loop, Tag, Marker)


class Way:
    """From one step to the next that took time.

    Parameters
    ----------
    method
        Steps of a protocol.
    """

    def __init__(self, method: Sequence[Any]):
        self._method = tuple(method)
        tags = {step.tag: number for number, step in enumerate(method, 1) if isinstance(step, Tag)}
        self._loops = [
            (tags[step.loop_to] if isinstance(step.loop_to, str) else step.loop_to, number)
            for number, step in enumerate(method, 1)
            if isinstance(step, Loop)
        ]
        self._found: dict[tuple[int, int], frozenset[str]] = {}

    def leaves(self, before: int, now: int) -> bool:
        """Whether a step has ended between two records that belong to different segments.

        Parameters
        ----------
        before, now
            Positions of the steps of both records, from 1.
        """
        return before != now or self._back(before, now) is not None

    def markers(self, before: int, now: int) -> frozenset[str]:
        """Names of the markers between two records that belong to different segments.

        Parameters
        ----------
        before
            Position of the step of the earlier record, from 1; 0 before the first.
        now
            Likewise of the later record.
        """
        if (before, now) not in self._found:
            back = None if before < now else self._back(before, now)
            if back is not None:
                start, end = back
                passed = {*range(before + 1, end), *range(start, now)}
            else:
                passed = set(range(before + 1, now))
            names = (self._method[number - 1] for number in passed if number <= len(self._method))
            self._found[before, now] = frozenset(one.marker for one in names if isinstance(one, Marker))
        return self._found[before, now]

    def _back(self, before: int, now: int) -> tuple[int, int] | None:
        """The innermost loop that leads from one step back to another, as its first position and its own."""
        leading = [(start, end) for start, end in self._loops if start <= now <= before < end]
        if not leading:
            return None
        start, end = max(leading)
        if before == now:
            others = [
                number
                for number in range(start, end)
                if number != now and not isinstance(self._method[number - 1], _IDLE)
            ]
            if others or isinstance(self._method[now - 1], _SEVERAL_SEGMENTS):
                return None
        return start, end
