"""What a site allows, and how protocol and cell narrow it."""

from typing import Annotated, Self

from pydantic import Field, model_validator

from intercalate import contract
from intercalate.problems import Problem, ProblemsError
from intercalate.strict_model import StrictModel

NUMBER = Annotated[float, Field(allow_inf_nan=False)]


class SiteLimits(StrictModel):
    """What one channel at one site may do; protocols can only narrow it.

    Attributes
    ----------
    min_voltage_V, max_voltage_V
        Of the cell.
    max_current_mA
        In either direction.
    min_temperature_C, max_temperature_C
        At the surface of the cell.
    max_capacity_mAh
        Net charge of a program in either direction; None for no limit.
    max_duration_s
        Worst case of a whole program.
    interlock_delay_s
        How long a limit may be exceeded before the interlock acts.
    capabilities
        What the channels can do beyond the common; steps that need another are refused.
    """

    min_voltage_V: Annotated[float, Field(ge=contract.ABSOLUTE_MIN_VOLTAGE_V)]
    max_voltage_V: Annotated[float, Field(le=contract.ABSOLUTE_MAX_VOLTAGE_V)]
    max_current_mA: Annotated[float, Field(gt=0, le=contract.ABSOLUTE_MAX_CURRENT_A * 1000)]
    min_temperature_C: Annotated[float, Field(ge=contract.ABSOLUTE_MIN_TEMPERATURE_C)]
    max_temperature_C: Annotated[float, Field(le=contract.ABSOLUTE_MAX_TEMPERATURE_C)]
    max_capacity_mAh: Annotated[float, Field(gt=0)] | None = None
    max_duration_s: Annotated[float, Field(gt=0)]
    interlock_delay_s: Annotated[float, Field(ge=0)]
    capabilities: frozenset[contract.Capability] = frozenset({contract.Capability.CONSTANT_POWER})

    @model_validator(mode="after")
    def _check_order(self) -> Self:
        pairs = (
            ("min_voltage_V", self.min_voltage_V, "max_voltage_V", self.max_voltage_V),
            ("min_temperature_C", self.min_temperature_C, "max_temperature_C", self.max_temperature_C),
        )
        wrong = [
            Problem(low_name, low, f"must be below {high_name} = {high:g}", "exchange them")
            for low_name, low, high_name, high in pairs
            if low >= high
        ]
        if wrong:
            raise ProblemsError("site limits", wrong)
        return self
