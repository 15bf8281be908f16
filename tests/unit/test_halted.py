"""A halted plan says nothing of its cells: what was said for a lost client holds."""

from typing import Any

import bluesky.plan_stubs as bps
import pytest
from bluesky import RunEngine
from bluesky.utils import RunEngineInterrupted

from intercalate.session import left_alone_when_halted


class Cycler:
    is_silent = False

    def fall_silent(self) -> None:
        self.is_silent = True


@pytest.mark.parametrize(("verb", "is_silent"), [("halt", True), ("abort", False), ("resume", False)])
def test_its_cells_are_left_to_the_end_of_their_lease(verb: str, is_silent: bool) -> None:
    engine = RunEngine({})
    cyclers: Any = [Cycler(), Cycler()]
    engine.state_hook = left_alone_when_halted(cyclers)
    with pytest.raises(RunEngineInterrupted):
        engine(bps.pause())
    getattr(engine, verb)()
    assert [one.is_silent for one in cyclers] == [is_silent] * 2
