"""Models of what a protocol file holds: steps, recording, safety, sample.

Names and meaning are those of the aurora-unicycler JSON where it has the thing; the rest is added.
There, an empty string is an absent value, numbers may be given as text, a zero time, current or
rate is an absent one, and `rate_C` goes before `current_mA`. A zero `until_voltage_V` is a voltage
here: symmetric and graphite half cells end there.

Positive currents, rates and powers charge.
"""

import re
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    AliasChoices,
    BeforeValidator,
    Field,
    model_validator,
)

from intercalate.problems import ABSENT, Problem, ProblemsError
from intercalate.strict_model import StrictModel

LONGEST_S = 1e9
MOST_PASSES = 1_000_000_000
MOST_PITT_HOLDS = 1000


class ProtocolError(ProblemsError):
    """A protocol was refused; `problems` lists everything wrong with it."""


def _plain_number(value: Any) -> Any:
    if isinstance(value, bool):
        raise ValueError("a number is needed, not true or false")
    if isinstance(value, str) and not value.strip():
        return None
    return value


def _zero_is_absent(value: float | None) -> float | None:
    return value or None


def _no_negative_zero(value: float | None) -> float | None:
    return None if value is None else value + 0.0


_NUMBER = r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?"
_RATE = re.compile(rf"({_NUMBER})?([CD])?({_NUMBER})?(?:/({_NUMBER}))?")


def parse_rate(value: Any) -> Any:
    """C-rate from a number or from text: `C/10`, `D/2` (discharge), `1/5`, `2C`, `0.1`.

    A sign before a `D` is refused, since it may mean either direction.

    Raises
    ------
    ValueError
        If the text is no rate.
    """
    value = _plain_number(value)
    if not isinstance(value, str):
        return value
    text = re.sub(r"\s*([CD/])\s*", r"\1", value.strip())
    sign, text = (-1.0, text[1:]) if re.match(r"-[CD]", text) else (1.0, text)
    match = _RATE.fullmatch(text)
    if match is None or (match[1] and match[3]) or not (match[1] or match[2] or match[3]):
        raise ValueError("no C-rate: write 0.1, 1/10, C/10 or D/10")
    if match[2] == "D":
        if sign < 0 or (match[1] or "").startswith(("+", "-")):
            raise ValueError("a signed D-rate may mean either direction: write C/2 or D/2")
        sign = -1.0
    divisor = float(match[4] or 1.0)
    if divisor == 0.0:
        raise ValueError("division by zero in a C-rate")
    return sign * float(match[1] or match[3] or 1.0) / divisor


Number = Annotated[float, BeforeValidator(_plain_number), AfterValidator(_no_negative_zero)]
Positive = Annotated[float, BeforeValidator(_plain_number), Field(gt=0)]
Duration = Annotated[float, BeforeValidator(_plain_number), Field(gt=0, le=LONGEST_S)]
OptionalNumber = Annotated[float | None, BeforeValidator(_plain_number), AfterValidator(_no_negative_zero)]
NonZero = Annotated[float | None, BeforeValidator(_plain_number), AfterValidator(_zero_is_absent)]
Rate = Annotated[float | None, BeforeValidator(parse_rate), AfterValidator(_zero_is_absent)]
OptionalPositive = Annotated[
    Annotated[float, Field(ge=0)] | None, BeforeValidator(_plain_number), AfterValidator(_zero_is_absent)
]
OptionalDuration = Annotated[
    Annotated[float, Field(ge=0, le=LONGEST_S)] | None,
    BeforeValidator(_plain_number),
    AfterValidator(_zero_is_absent),
]
OptionalFraction = Annotated[Annotated[float, Field(ge=0, le=1)] | None, BeforeValidator(_plain_number)]
Count = Annotated[int, BeforeValidator(_plain_number), Field(ge=1, le=MOST_PASSES)]
Name = Annotated[str, Field(min_length=1, max_length=80, pattern=r"^[^\x00-\x1f]+$")]


class Model(StrictModel):
    """Frozen, without unknown keys, finite numbers only."""

    def _need_one_of(self, *names: str, what: str) -> None:
        """Refuse the model unless one of these fields is given.

        Raises
        ------
        ProtocolError
            If all of them are absent.
        """
        if all(getattr(self, name) is None for name in names):
            given = " or ".join(names)
            kind = getattr(self, "step", type(self).__name__)
            raise ProtocolError(str(kind), [Problem(names[0], ABSENT, f"{what} is needed", f"add {given}")])


class Unicycler(Model):
    """Which aurora-unicycler wrote the file; kept, without effect."""

    version: str = ""


class Sample(Model):
    """What the protocol was written for.

    Attributes
    ----------
    name
        `$NAME` is the placeholder of aurora-unicycler.
    capacity_mAh
        To which C-rates refer.
    """

    name: str = "$NAME"
    capacity_mAh: Annotated[Annotated[float, Field(gt=0)] | None, BeforeValidator(_plain_number)] = None


class Record(Model):
    """When a record is taken: after `time_s`, or earlier when voltage or current changed so much."""

    current_mA: OptionalPositive = None
    voltage_V: OptionalPositive = None
    time_s: Duration


class Safety(Model):
    """Limits that end the whole experiment when left for longer than `delay_s`.

    They narrow the site's limits and never widen them.
    """

    max_voltage_V: OptionalNumber = None
    min_voltage_V: OptionalNumber = None
    max_current_mA: OptionalNumber = None
    min_current_mA: OptionalNumber = None
    max_capacity_mAh: OptionalPositive = None
    delay_s: Annotated[Annotated[float, Field(ge=0)] | None, BeforeValidator(_plain_number)] = None


class Step(Model):
    """What all steps have: an optional identifier of the writer's own."""

    id: str | None = None


class _Driven(Step):
    """A step that drives a current, given as C-rate or in mA."""

    rate_C: Rate = None
    current_mA: NonZero = None

    @model_validator(mode="after")
    def _has_current(self):
        self._need_one_of("rate_C", "current_mA", what="a current other than zero")
        return self


class OpenCircuitVoltage(Step):
    """Rest, for a time or until the voltage changes more slowly than `until_dVdt_mV_per_h`."""

    step: Literal["open_circuit_voltage"] = "open_circuit_voltage"
    until_time_s: Duration
    until_dVdt_mV_per_h: OptionalPositive = None


class ConstantCurrent(_Driven):
    """Constant current until the first of the cut-offs.

    `until_capacity_mAh` counts from the start of the step, `until_soc` is the state of charge, 0 to 1.
    """

    step: Literal["constant_current"] = "constant_current"
    until_time_s: OptionalDuration = None
    until_voltage_V: OptionalNumber = None
    until_capacity_mAh: OptionalPositive = None
    until_soc: OptionalFraction = None

    @model_validator(mode="after")
    def _has_cut_off(self):
        self._need_one_of(
            "until_voltage_V", "until_time_s", "until_capacity_mAh", "until_soc", what="a cut-off"
        )
        return self


class ConstantVoltage(Step):
    """Constant voltage until the first of the cut-offs; a current cut-off compares magnitudes."""

    step: Literal["constant_voltage"] = "constant_voltage"
    voltage_V: Number
    until_time_s: OptionalDuration = None
    until_rate_C: Rate = None
    until_current_mA: NonZero = None
    until_capacity_mAh: OptionalPositive = None

    @model_validator(mode="after")
    def _has_cut_off(self):
        self._need_one_of(
            "until_time_s", "until_rate_C", "until_current_mA", "until_capacity_mAh", what="a cut-off"
        )
        return self


class ConstantPower(Step):
    """Constant power until the first of the cut-offs."""

    step: Literal["constant_power"] = "constant_power"
    power_mW: Number
    until_time_s: OptionalDuration = None
    until_voltage_V: OptionalNumber = None
    until_capacity_mAh: OptionalPositive = None
    until_soc: OptionalFraction = None

    @model_validator(mode="after")
    def _has_power_and_cut_off(self):
        if self.power_mW == 0:
            raise ProtocolError(
                self.step, [Problem("power_mW", 0.0, "not zero", "use open_circuit_voltage to rest")]
            )
        self._need_one_of(
            "until_voltage_V", "until_time_s", "until_capacity_mAh", "until_soc", what="a cut-off"
        )
        return self


class ConstantCurrentConstantVoltage(_Driven):
    """Constant current to `voltage_V`, which is then held until the first of the cut-offs.

    `current_until_time_s` bounds the constant-current part; if that time is over first, or
    `until_soc` is reached in it, the voltage is not held. The other cut-offs belong to the hold.
    """

    step: Literal["cccv"] = "cccv"
    voltage_V: Number
    current_until_time_s: OptionalDuration = None
    until_time_s: OptionalDuration = None
    until_rate_C: Rate = None
    until_current_mA: NonZero = None
    until_soc: OptionalFraction = None

    @model_validator(mode="after")
    def _has_cut_off(self):
        self._need_one_of(
            "until_time_s", "until_rate_C", "until_current_mA", what="a cut-off of the voltage hold"
        )
        return self


class Gitt(_Driven):
    """Galvanostatic intermittent titration: current pulses, each followed by a rest.

    At most `pulse_count` pulses, or as many as pass `until_capacity_mAh` in all (the last one is
    shortened to it). A pulse that reaches `until_voltage_V` or `until_soc` ends the titration,
    without a rest. A rest may end early, once the voltage changes more slowly than
    `rest_until_dVdt_mV_per_h`.
    """

    step: Literal["gitt"] = "gitt"
    pulse_time_s: Duration
    rest_time_s: Duration
    rest_until_dVdt_mV_per_h: OptionalPositive = None
    pulse_count: Count | None = None
    until_capacity_mAh: OptionalPositive = None
    until_voltage_V: OptionalNumber = None
    until_soc: OptionalFraction = None

    @model_validator(mode="after")
    def _has_end(self):
        self._need_one_of("pulse_count", "until_capacity_mAh", what="a bound on the number of pulses")
        return self


class Pitt(Step):
    """Potentiostatic intermittent titration: voltage holds from `start_voltage_V` to `end_voltage_V`.

    The holds lie `step_mV` apart and the last one is at `end_voltage_V`; each ends at the first of
    its cut-offs.
    """

    step: Literal["pitt"] = "pitt"
    start_voltage_V: Number
    end_voltage_V: Number
    step_mV: Positive
    until_time_s: OptionalDuration = None
    until_rate_C: Rate = None
    until_current_mA: NonZero = None

    @model_validator(mode="after")
    def _has_holds(self):
        self._need_one_of("until_time_s", "until_rate_C", "until_current_mA", what="a cut-off of each hold")
        span_mV = abs(self.end_voltage_V - self.start_voltage_V) * 1000
        if span_mV / self.step_mV > MOST_PITT_HOLDS - 1:
            limit = f"gives more than {MOST_PITT_HOLDS} holds"
            fix = f"use at least {span_mV / (MOST_PITT_HOLDS - 1):.4g} mV"
            raise ProtocolError(self.step, [Problem("step_mV", self.step_mV, limit, fix)])
        return self


class ImpedanceSpectroscopy(Step):
    """Impedance spectrum, potentiostatic (`amplitude_V`) or galvanostatic (`amplitude_mA`)."""

    step: Literal["impedance_spectroscopy"] = "impedance_spectroscopy"
    amplitude_V: OptionalNumber = None
    amplitude_mA: OptionalNumber = None
    start_frequency_Hz: Annotated[Positive, Field(ge=1e-5, le=1e5)]
    end_frequency_Hz: Annotated[Positive, Field(ge=1e-5, le=1e5)]
    points_per_decade: Annotated[int, Field(gt=0)] = 10
    measures_per_point: Annotated[int, Field(gt=0)] = 1
    drift_correction: bool | None = False

    @model_validator(mode="after")
    def _has_one_amplitude(self):
        self._need_one_of("amplitude_V", "amplitude_mA", what="an amplitude")
        if self.amplitude_V is not None and self.amplitude_mA is not None:
            problem = Problem(
                "amplitude_mA", self.amplitude_mA, "amplitude_V is given too", "drop one of them"
            )
            raise ProtocolError(self.step, [problem])
        return self


class VoltageScan(Step):
    """Linear voltage sweep."""

    step: Literal["voltage_scan"] = "voltage_scan"
    start_voltage_V: Number
    end_voltage_V: Number
    scan_rate_mV_per_s: Positive


class Loop(Step):
    """Go back to a tag or to a position in `method` (from 1); `cycle_count` passes in all.

    Tags count as positions. `start_step` is accepted as an older name of `loop_to`.
    """

    step: Literal["loop"] = "loop"
    loop_to: Annotated[int | str, BeforeValidator(_plain_number)] = Field(
        default=1, validation_alias=AliasChoices("loop_to", "start_step")
    )
    cycle_count: Count


class Tag(Step):
    """A name to loop to; nothing is done here."""

    step: Literal["tag"] = "tag"
    tag: str = ""


class Marker(Step):
    """A name in the records' markers; takes no time."""

    step: Literal["marker"] = "marker"
    marker: Name


class WaitForRelease(Step):
    """Rest, or hold `hold_voltage_V`, until a client releases it, but no longer than `max_s`."""

    step: Literal["wait_for_release"] = "wait_for_release"
    max_s: Duration
    hold_voltage_V: OptionalNumber = None


AnyStep = Annotated[
    OpenCircuitVoltage
    | ConstantCurrent
    | ConstantVoltage
    | ConstantPower
    | ConstantCurrentConstantVoltage
    | Gitt
    | Pitt
    | ImpedanceSpectroscopy
    | VoltageScan
    | Loop
    | Tag
    | Marker
    | WaitForRelease,
    Field(discriminator="step"),
]
