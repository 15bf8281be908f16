"""A segment as a technique of EC-Lab, with the limits by which the instrument ends it alone.

Names, and the bits of the tests, are those of the EPICS driver EPICS-ECLab (ISIS Computing Group) and its
example scripts; the codes of ranges are those of BioLogic's development package (`I_RANGE`, `E_RANGE`).
"""

from dataclasses import dataclass
from typing import Any

from intercalate.contract import ControlMode
from intercalate.cycler_server.channel import ChannelError
from intercalate.protocol import Segment, SiteLimits
from intercalate.protocol.segment import Quantity

ACTIVE, AT_LEAST, OF_CURRENT = 1, 4, 96
"""Bits of a test: without them it is left out, `at most`, of the voltage. Tests are joined by or."""
STOP = 2
"""What a test that is met leads to: the end, and neither the next step nor the next technique."""
TESTS = 3
"""Of a technique with limits."""
CURRENT_RANGES_A = {4: 1e-6, 5: 1e-5, 6: 1e-4, 7: 1e-3, 8: 1e-2, 9: 0.1, 10: 1.0}
AUTO_RANGE = 12
BANDWIDTH = 5
VOLTAGE_RANGE_10_V = 2

Parameters = dict[str, float | int | list[float] | list[int]]


@dataclass(frozen=True, slots=True)
class Test:
    """A limit that the instrument watches itself.

    Attributes
    ----------
    configuration
        Bits, as above.
    value
        V or A.
    """

    configuration: int
    value: float


@dataclass(frozen=True, slots=True)
class Technique:
    """What is written before the technique is loaded.

    Attributes
    ----------
    name
        As in its PVs: `OCV`, `CPLIMIT`, `CALIMIT`; in lower case it is loaded.
    parameters
        By the last part of their PVs.
    duration_s
        After which the instrument ends it, at the latest.
    """

    name: str
    parameters: Parameters
    duration_s: float

    def pvs(self, prefix: str) -> dict[str, Any]:
        """Setpoints by PV."""
        return {f"{prefix}T:{self.name}:0:{key}:SP": value for key, value in self.parameters.items()}


def technique_of(segment: Segment, site: SiteLimits, record_every_s: float) -> Technique:
    """The technique that executes a segment.

    The instrument ends it after the longest time that the segment may take, and where its voltage leaves the
    segment's cut-offs or the site's limits: also when nobody commands it any more.

    Parameters
    ----------
    site
        Limits that hold whatever the segment says.
    record_every_s
        Between two records of the instrument's own file.

    Raises
    ------
    ChannelError
        If EC-Lab's techniques, as the driver has them, cannot do it.
    """
    if segment.ramp_per_s is not None or segment.spectrum is not None or segment.mode is ControlMode.POWER:
        raise ChannelError(f"{segment.step_type} has no technique in the driver; leave it out")
    duration_s = segment.worst_case_s
    if segment.mode is ControlMode.REST:
        resting: Parameters = {
            "RTT": duration_s,
            "REDT": record_every_s,
            "IRANGE": AUTO_RANGE,
            "BW": BANDWIDTH,
        }
        return Technique("OCV", resting, duration_s)
    common: Parameters = {
        "DURSTEP": [duration_s],
        "VSINIT": [0],
        "STEPN": 0,
        "NCYCLES": 0,
        "REDT": record_every_s,
        "ERANGE": VOLTAGE_RANGE_10_V,
        "BW": BANDWIDTH,
    }
    if segment.mode is ControlMode.CURRENT:
        given: Parameters = {"ISTEP": [segment.setpoint], "IRANGE": current_range(segment.setpoint)}
        tests = voltage_tests(segment, site)
        return Technique("CPLIMIT", {**common, **given, **_as_parameters(tests)}, duration_s)
    held: Parameters = {"VSTEP": [segment.setpoint], "IRANGE": AUTO_RANGE}
    return Technique("CALIMIT", {**common, **held, **_as_parameters(current_tests(site))}, duration_s)


def current_range(current_a: float) -> int:
    """Code of the smallest range that holds a current.

    Raises
    ------
    ChannelError
        If none does.
    """
    for code, largest_a in CURRENT_RANGES_A.items():
        if abs(current_a) <= largest_a:
            return code
    raise ChannelError(f"{current_a:g} A is beyond the largest range, {max(CURRENT_RANGES_A.values()):g} A")


def voltage_tests(segment: Segment, site: SiteLimits) -> list[Test]:
    """Limits of the voltage, where the current drives it: of the segment, and of the site."""
    cuts = [one for one in segment.cutoffs if one.quantity is Quantity.VOLTAGE_V]
    upper = [one.value for one in cuts if one.comparison == ">="]
    lower = [one.value for one in cuts if one.comparison == "<="]
    if segment.setpoint > 0:
        upper.append(site.max_voltage_V)
    else:
        lower.append(site.min_voltage_V)
    tests = [Test(ACTIVE | AT_LEAST, min(upper))] if upper else []
    return tests + ([Test(ACTIVE, max(lower))] if lower else [])


def current_tests(site: SiteLimits) -> list[Test]:
    """Largest currents of the site, while the voltage is held.

    The current at which a hold is to end is watched by the server alone: before a current flows, the
    instrument would take its absence for the end.
    """
    largest_a = site.max_current_mA / 1000.0
    return [Test(ACTIVE | OF_CURRENT | AT_LEAST, largest_a), Test(ACTIVE | OF_CURRENT, -largest_a)]


def _as_parameters(tests: list[Test]) -> Parameters:
    found: Parameters = {"EXITCOND": [STOP]}
    for number in range(TESTS):
        one = tests[number] if number < len(tests) else Test(0, 0.0)
        found[f"TEST{number + 1}CONF"] = [one.configuration]
        found[f"TEST{number + 1}VAL"] = [one.value]
    return found
