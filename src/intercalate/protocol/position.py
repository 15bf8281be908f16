"""Where a program stands, and where one begins that goes on with another."""

from typing import Annotated

from pydantic import Field

from intercalate.strict_model import StrictModel

Charge = Annotated[float, Field(ge=0)]


class ProgramPosition(StrictModel):
    """Where a cursor stands; JSON-able.

    Attributes
    ----------
    block, part
        Current segment.
    passes
        Passes completed of each loop being run: (block of the loop, passes).
    cycle
        1 + passes of outermost loops completed.
    segments
        Segments begun so far; 0 before the first.
    """

    block: Annotated[int, Field(ge=0)] = 0
    part: Annotated[int, Field(ge=0)] = 0
    passes: tuple[tuple[int, int], ...] = ()
    cycle: Annotated[int, Field(ge=1)] = 1
    segments: Annotated[int, Field(ge=0)] = 0


class Beginning(StrictModel):
    """Where a program begins that goes on with one that was interrupted; JSON-able.

    Attributes
    ----------
    program_id
        Of the one that was interrupted.
    position
        Segment that is gone on with.
    passed_s, passed_ah
        Of that segment, before.
    step_count
        Of that segment, in the records.
    started_unix_s
        Start of the first program, from which the test time counts.
    charging_ah, discharging_ah, charging_wh, discharging_wh
        Passed before, since the first program's start.
    """

    program_id: Annotated[str, Field(min_length=1)]
    position: ProgramPosition
    passed_s: Annotated[float, Field(ge=0)] = 0.0
    passed_ah: float = 0.0
    step_count: Annotated[int, Field(ge=1)] = 1
    started_unix_s: float
    charging_ah: Charge = 0.0
    discharging_ah: Charge = 0.0
    charging_wh: float = 0.0
    discharging_wh: float = 0.0

    @property
    def net_ah(self) -> float:
        """Net charge passed before, + is charge."""
        return self.charging_ah - self.discharging_ah
