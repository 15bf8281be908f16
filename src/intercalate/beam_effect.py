"""Whether the beam changed what it measured: an exposed spot against material that got nothing.

Control frames, of fresh spots of the same cell or of a twin that is seldom exposed, are compared with those
of the exposed spot right before and after, interpolated to the middle of the control frame.

What is assumed of the systematic errors: between two spots of one cell, minutes apart, those of energy,
geometry, temperature and profile are the same and cancel, except for `SPOT_SHARE` of what a fit declares,
for spots differ in thickness and grains. The share of a stage follows intensities, which grains and texture
change from spot to spot: nothing of its error cancels. Between two cells nothing cancels at all, and cells of
one make differ in capacity: at the same charge one is further on than the other (`CAPACITY_SPREAD`).

What is compared are fitted lines. Where a share of the particles lags behind, a spot has two populations,
and a line follows the larger one: means over the material differ by more. `misfit_ratio` tells.
"""

import math
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import xarray as xr
from scipy.stats import norm

QUANTITIES = ("NMC811.a", "NMC811.c", "graphite.d", "graphite.a", "stage_1_fraction")
"""Of the state of a cell, by which spots are compared."""

SPOT_SHARE = 0.1
"""Of the systematic error of a lattice parameter, that does not cancel between two spots of a cell. By grains
alone spots of a simulated cell scatter by 3 to 5 % of it; the rest is for coatings that are not even."""

UNEVEN_FROM = 2.0
"""Ratio of the misfits of exposed spot and control, from which on the former has lines of another shape."""

CAPACITY_SPREAD = 0.02
"""Standard deviation of the capacity of cells of one make, relative."""

FRESH_SHARE = 0.1
"""A control spot that has got more than this share of the largest dose is not fresh."""

LONGEST_GAP = 3.0
"""Usual intervals between frames of the exposed spot, over which nothing is interpolated."""

FALSE_ALARM = 0.05
"""Probability that an effect is said to be found where there is none, over all comparisons together."""

CONFIDENCE = 0.95
"""Of upper limits."""

_FEWEST_ALIKE = 4
"""Frames of about one charge, by which the course of a quantity with charge is taken."""

MGY = 1e6


@dataclass(frozen=True)
class Difference:
    """One quantity at one control frame.

    Attributes
    ----------
    test_time_s
        Middle of the control frame.
    dose_gy, control_dose_gy
        Of the exposed spot, and of the control spot, before it; NaN where nobody kept an account.
    value
        Exposed spot minus control, in `unit`.
    sigma_stat, sigma_sys
        Standard uncertainties, by counting and by all else.
    misfit_ratio
        Reduced chi squared of the exposed spot over that of the control; NaN where it is not known.
    """

    quantity: str
    unit: str
    test_time_s: float
    dose_gy: float
    control_dose_gy: float
    value: float
    sigma_stat: float
    sigma_sys: float
    misfit_ratio: float = math.nan

    @property
    def sigma(self) -> float:
        """Both uncertainties in quadrature."""
        return math.hypot(self.sigma_stat, self.sigma_sys)

    @property
    def significance(self) -> float:
        """Difference in units of its uncertainty."""
        return self.value / self.sigma if self.sigma > 0 else math.copysign(math.inf, self.value)

    @property
    def upper_limit(self) -> float:
        """Magnitude that the true difference does not exceed, at `CONFIDENCE`."""
        return abs(self.value) + float(norm.ppf(CONFIDENCE)) * self.sigma


@dataclass(frozen=True)
class Comparison:
    """All differences between an exposed spot and its controls.

    Attributes
    ----------
    skipped
        Test time of each control frame that could not be used, and why.
    is_twin
        Whether the controls are frames of another cell.
    misfits
        Test time of each control frame that has a fit where the exposed spot has none, and the ratio of their
        misfits, NaN where it is not known.
    """

    differences: tuple[Difference, ...]
    skipped: tuple[tuple[float, str], ...] = ()
    is_twin: bool = False
    misfits: tuple[tuple[float, float], ...] = ()

    @property
    def threshold(self) -> float:
        """Significance that chance exceeds with `FALSE_ALARM` in any of the comparisons, after Z. Sidak,
        J. Am. Stat. Assoc. 62 (1967) 626; infinite where nothing is compared.
        """
        count = len(self.differences)
        if not count:
            return math.inf
        each = 1.0 - (1.0 - FALSE_ALARM) ** (1.0 / count)
        return float(norm.isf(each / 2.0))

    @property
    def found(self) -> bool:
        """Whether any difference is beyond chance."""
        return any(abs(one.significance) > self.threshold for one in self.differences)

    def sentence(self) -> str:
        """What came of it."""
        return self._of_differences() + self._of_misfits()

    def _of_misfits(self) -> str:
        if not self.misfits:
            return ""
        hours = ", ".join(f"{time_s / 3600.0:.1f} h" for time_s, _ in self.misfits)
        ratios = [ratio for _, ratio in self.misfits if math.isfinite(ratio)]
        worse = f", with a misfit up to {max(ratios):.0f} times the control's" if ratios else ""
        return (
            f" At {hours} the exposed spot has no fit where the control has one{worse}: no number says by "
            "how much they differ; look at the frames."
        )

    def _of_differences(self) -> str:
        if not self.differences:
            why = "; ".join(sorted({reason for _, reason in self.skipped})) or "there is no control frame"
            return f"Nothing can be said of an effect of the beam: {why}."
        if self.found:
            most = max(self.differences, key=lambda one: abs(one.significance))
            uneven = any(one.misfit_ratio > UNEVEN_FROM for one in self.differences)
            return (
                f"An effect of the beam was found: at {_dose(most.dose_gy)} {most.quantity} differs by "
                f"{most.value:+.2g} ± {most.sigma:.1g} {most.unit}".rstrip()
                + f" ({abs(most.significance):.1f} standard uncertainties; chance exceeds "
                f"{self.threshold:.1f} in {FALSE_ALARM:.0%} of experiments)."
                + (
                    " Its lines have another shape than the control's: a share of the material lags behind, "
                    "and the means over the material differ by more."
                    if uneven
                    else ""
                )
            )
        last = {one.quantity: one for one in sorted(self.differences, key=lambda one: one.test_time_s)}
        limits = ", ".join(
            f"{one.upper_limit:.1g} {one.unit}".rstrip() + f" in {name}" for name, one in last.items()
        )
        dose = max((one.dose_gy for one in last.values()), default=math.nan)
        return (
            f"No effect of the beam was found up to {_dose(dose)}; at the last control, with "
            f"{CONFIDENCE:.0%} confidence, it is below {limits}."
        )

    def table(self) -> list[str]:
        """Lines of a table: every difference with its errors, and what was skipped."""
        line = "{:>9} {:>12} {:16} {:>12} {:>10} {:>10} {:>7}"
        lines = [line.format("time", "dose", "quantity", "difference", "stat", "sys", "sigmas")]
        for one in self.differences:
            numbers = (f"{one.value:+.5f}", f"{one.sigma_stat:.5f}", f"{one.sigma_sys:.5f}")
            time, dose = f"{one.test_time_s / 3600.0:.2f} h", _dose(one.dose_gy)
            lines.append(line.format(time, dose, one.quantity, *numbers, f"{one.significance:+.1f}"))
        return lines + [f"{time_s / 3600.0:7.2f} h {reason}" for time_s, reason in self.skipped]

    def as_json(self) -> dict[str, Any]:
        """Everything, JSON-able; what is not a number is None."""
        rows = [
            {
                **asdict(one),
                "sigma": one.sigma,
                "significance": one.significance,
                "upper_limit": one.upper_limit,
            }
            for one in self.differences
        ]
        return {
            "control": "twin" if self.is_twin else "fresh spot",
            "found": self.found,
            "sentence": self.sentence(),
            "threshold": self.threshold if self.differences else None,
            "false_alarm": FALSE_ALARM,
            "confidence": CONFIDENCE,
            "systematic_share_kept": 1.0 if self.is_twin else SPOT_SHARE,
            "capacity_spread": CAPACITY_SPREAD if self.is_twin else None,
            "differences": [{name: _finite(value) for name, value in row.items()} for row in rows],
            "misfits": [{"test_time_s": time_s, "ratio": _finite(ratio)} for time_s, ratio in self.misfits],
            "skipped": [{"test_time_s": time_s, "reason": reason} for time_s, reason in self.skipped],
        }


def _dose(gray: float) -> str:
    return f"{gray / MGY:.3g} MGy" if math.isfinite(gray) else "an unknown dose"


def _finite(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value


@dataclass(frozen=True)
class _Series:
    """One quantity of a spot, of the frames that determined it in the order of time; arrays of shape (n,)."""

    time_s: np.ndarray
    value: np.ndarray
    sigma_stat: np.ndarray
    sigma_sys: np.ndarray
    dose_gy: np.ndarray
    charge_ah: np.ndarray
    misfit: np.ndarray

    @classmethod
    def of(cls, frames: xr.Dataset, name: str, *, usable: np.ndarray | None = None) -> "_Series":
        columns = [np.asarray(frames[f"{name}{end}"], float) for end in ("", "_sigma_stat", "_sigma_sys")]
        time_s = np.asarray(frames["test_time_second"], float)
        charge, misfit = (_column(frames, one) for one in ("net_capacity_ah", "reduced_chi2"))
        arrays = (time_s, *columns, doses_before(frames), charge, misfit)
        known = np.isfinite([time_s, *columns]).all(axis=0)
        kept = np.flatnonzero(known if usable is None else known & usable)
        return cls(*(one[kept[np.argsort(time_s[kept], kind="stable")]] for one in arrays))


@dataclass(frozen=True)
class _Neighbours:
    """Frames of the exposed spot around a moment.

    Attributes
    ----------
    index, weights
        Of the two, and their weights in a linear interpolation to the moment.
    bend_s
        By how much a value is off at most, if its slope changes by 1 per second between the two.
    """

    index: list[int]
    weights: np.ndarray
    bend_s: float


def compare(exposed: xr.Dataset, control: xr.Dataset, *, is_twin: bool = False) -> Comparison:
    """Compare every control frame with the exposed spot.

    Parameters
    ----------
    exposed, control
        As `results.reduce_run` gives them, along `frame`: quantities with `_sigma_stat` and `_sigma_sys`,
        `test_time_second`, and `dose_spot_gy`, `dose_exposure_gy` where accounts were kept.
    is_twin
        The control frames are of another cell, which began when this one did and does the same.

    Raises
    ------
    ValueError
        If they have no quantity in common.
    """
    names = [name for name in QUANTITIES if name in exposed and name in control]
    if not names:
        raise ValueError("the frames to compare have no fitted quantity in common; were both reduced?")
    largest_gy = float(
        np.max(doses_before(exposed), initial=-math.inf, where=~np.isnan(doses_before(exposed)))
    )
    dose_gy, in_gap = doses_before(control), _in_gap(control)
    skipped = {
        number: reason
        for number in range(control.sizes["frame"])
        if (reason := _unusable(bool(in_gap[number]), float(dose_gy[number]), largest_gy))
    }
    usable = ~np.isin(np.arange(control.sizes["frame"]), list(skipped))
    differences: list[Difference] = []
    for name in names:
        known = _Series.of(exposed, name, usable=~_in_gap(exposed))
        wanted = _Series.of(control, name, usable=usable)
        unit = str(exposed[name].attrs.get("units", ""))
        found = (_difference(name, unit, known, wanted, row, is_twin) for row in range(len(wanted.time_s)))
        differences += [one for one in found if one is not None]
    times = np.asarray(control["test_time_second"], float)
    compared = {one.test_time_s for one in differences}
    misfits: list[tuple[float, float]] = []
    for number in np.flatnonzero(usable):
        if float(times[number]) in compared:
            continue
        if not np.isfinite([float(control[name][number]) for name in names]).any():
            skipped[int(number)] = "there is no fit of it"
            continue
        ratio = _misfit_ratio(exposed, control, int(number))
        if ratio is None:
            skipped[int(number)] = "there is no frame of the exposed spot right before and after"
        else:
            skipped[int(number)] = "there is no fit of the exposed spot right before and after"
            misfits.append((float(times[number]), ratio))
    return Comparison(
        tuple(sorted(differences, key=lambda one: one.test_time_s)),
        tuple((float(times[number]), skipped[number]) for number in sorted(skipped)),
        is_twin,
        tuple(misfits),
    )


def _misfit_ratio(exposed: xr.Dataset, control: xr.Dataset, number: int) -> float | None:
    """Misfit of the exposed spot over that of a control frame; None where no frame of the spot is near."""
    kept = np.flatnonzero(~_in_gap(exposed))
    times = np.asarray(exposed["test_time_second"], float)[kept]
    order = np.argsort(times, kind="stable")
    near = _neighbours(times[order], float(control["test_time_second"][number]))
    if near is None:
        return None
    misfit = _column(exposed, "reduced_chi2")[kept[order]][near.index]
    return float(near.weights @ misfit / _column(control, "reduced_chi2")[number])


def doses_before(frames: xr.Dataset) -> np.ndarray:
    """Dose of the spot of each frame before the frame, Gy, shape (n,); NaN where there is no account."""
    if not {"dose_spot_gy", "dose_exposure_gy"} <= set(frames):
        return np.full(frames.sizes["frame"], math.nan)
    return np.asarray(frames["dose_spot_gy"], float) - np.asarray(frames["dose_exposure_gy"], float)


def _column(frames: xr.Dataset, name: str) -> np.ndarray:
    """NaN where the frames have no such column."""
    return np.asarray(frames[name], float) if name in frames else np.full(frames.sizes["frame"], math.nan)


def _in_gap(frames: xr.Dataset) -> np.ndarray:
    return np.asarray(frames["in_gap"], bool) if "in_gap" in frames else np.zeros(frames.sizes["frame"], bool)


def _unusable(in_gap: bool, dose_gy: float, largest_gy: float) -> str:
    if in_gap:
        return "there are no cycler records at that time"
    if dose_gy > FRESH_SHARE * largest_gy:
        return f"its spot was not fresh: it had got {_dose(dose_gy)}"
    return ""


def _difference(
    name: str, unit: str, exposed: _Series, control: _Series, row: int, is_twin: bool
) -> Difference | None:
    """Of one quantity at one control frame; None where no frame of the exposed spot is near, and of a stage
    that neither has.
    """
    near = _neighbours(exposed.time_s, float(control.time_s[row]))
    if near is None:
        return None
    at, weights = near.index, near.weights
    sigma_stat = math.hypot(float(control.sigma_stat[row]), *(weights * exposed.sigma_stat[at]))
    if not sigma_stat > 0:
        return None
    declared = float(weights @ exposed.sigma_sys[at])
    kept = _kept(name, declared, float(control.sigma_sys[row]), is_twin)
    further_on = _further_on(exposed, near) if is_twin else 0.0
    return Difference(
        quantity=name,
        unit=unit,
        test_time_s=float(control.time_s[row]),
        dose_gy=float(weights @ exposed.dose_gy[at]),
        control_dose_gy=float(control.dose_gy[row]),
        value=float(weights @ exposed.value[at] - control.value[row]),
        sigma_stat=sigma_stat,
        sigma_sys=math.hypot(kept, _between(exposed, near), further_on),
        misfit_ratio=float(weights @ exposed.misfit[at] / control.misfit[row]),
    )


def _kept(name: str, exposed: float, control: float, is_twin: bool) -> float:
    """Systematic errors of two fits that are left in their difference.

    What one declares more than the other, as it does for a profile that fits worse, is not common to both.
    """
    if is_twin or name == "stage_1_fraction":
        return math.hypot(exposed, control)
    return math.hypot(SPOT_SHARE * min(exposed, control), math.sqrt(abs(exposed**2 - control**2)))


def _neighbours(times: np.ndarray, moment_s: float) -> _Neighbours | None:
    """Frames right before and after; None where one is missing or too far: nothing is extrapolated."""
    if len(times) < 2:
        return None
    usual_s = float(np.median(np.diff(times)))
    after = int(np.searchsorted(times, moment_s))
    before = after - 1
    if before >= 0 and after < len(times) and times[after] - times[before] <= LONGEST_GAP * usual_s:
        width_s = float(times[after] - times[before])
        share = (moment_s - float(times[before])) / width_s
        weights = np.array([1 - share, share])
        return _Neighbours([before, after], weights, share * (1 - share) * width_s)
    return None


def _between(exposed: _Series, near: _Neighbours) -> float:
    """Error of the interpolation, as the slopes around it show.

    Where a slope changes between two frames is not known: what is off by it at most is taken as the limit of
    a uniform distribution.
    """
    slopes = np.diff(exposed.value) / np.diff(exposed.time_s)
    around = slopes[max(0, near.index[0] - 1) : near.index[-1] + 1]
    return near.bend_s * abs(float(around[-1] - around[0])) / math.sqrt(3.0)


def _further_on(exposed: _Series, near: _Neighbours) -> float:
    """By how much a quantity differs between cells of one make, of different capacity, at the same charge."""
    here_ah = float(near.weights @ exposed.charge_ah[near.index])
    if not math.isfinite(here_ah):
        return 0.0
    ahead_ah = CAPACITY_SPREAD * abs(here_ah - float(exposed.charge_ah[0]))
    apart_ah = np.abs(exposed.charge_ah - here_ah)
    alike = np.flatnonzero(apart_ah <= ahead_ah)
    if len(alike) < _FEWEST_ALIKE:
        alike = np.argsort(apart_ah, kind="stable")[:_FEWEST_ALIKE]
    range_ah = float(np.ptp(exposed.charge_ah[alike]))
    return float(np.ptp(exposed.value[alike])) * ahead_ah / range_ah if range_ah > 0 else 0.0
