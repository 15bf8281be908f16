"""Markers and ends of steps between two records."""

from typing import Any

import pytest

from intercalate.protocol import Protocol
from intercalate.protocol.way import Way

A = {"step": "open_circuit_voltage", "until_time_s": 10}
CCCV = {"step": "cccv", "rate_C": 0.1, "voltage_V": 4.2, "until_rate_C": 0.01, "until_time_s": 100}


def marker(name: str) -> dict[str, Any]:
    return {"step": "marker", "marker": name}


def loop(to: int | str) -> dict[str, Any]:
    return {"step": "loop", "loop_to": to, "cycle_count": 3}


def way(*steps: dict[str, Any]) -> Way:
    return Way(Protocol.from_dict({"record": {"time_s": 10}, "method": list(steps)}).method)


@pytest.mark.parametrize(
    ("steps", "before", "now", "found"),
    [
        ((marker("m"), A, A), 0, 2, {"m"}),
        ((A, marker("m"), A), 1, 3, {"m"}),
        ((A, A, marker("m"), A), 1, 2, set()),
        ((A, marker("m"), A, loop(1)), 3, 1, set()),
        ((A, A, marker("m"), loop(1)), 2, 1, {"m"}),
        ((marker("m"), A, A, loop(1)), 3, 2, {"m"}),
        ((A, marker("m"), loop(1)), 1, 1, {"m"}),
        ((A, A, marker("m"), loop(1)), 2, 2, set()),
        ((CCCV, marker("m"), loop(1)), 1, 1, set()),
        (({"step": "tag", "tag": "t"}, A, marker("m"), A, loop("t")), 4, 2, set()),
        ((A, A, loop(2), marker("m"), A, loop(1)), 2, 2, set()),
        ((A, A, loop(2), marker("m"), A, loop(1)), 2, 5, {"m"}),
        ((A, A, loop(2), A, marker("m"), loop(1)), 4, 1, {"m"}),
    ],
)
def test_markers_are_found_on_the_way(steps: Any, before: int, now: int, found: set[str]) -> None:
    assert way(*steps).markers(before, now) == found


def test_a_step_is_left_for_another_or_for_itself() -> None:
    assert way(A, A).leaves(1, 2)
    assert way(A, loop(1)).leaves(1, 1)
    assert not way(CCCV, loop(1)).leaves(1, 1)
