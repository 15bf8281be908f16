"""The valence of cobalt: white lines, their shift, and the pre-peak of oxygen, by references."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from intercalate.materials.eels import COMPOUNDS
from intercalate.reduction.eels.background import power_law
from intercalate.reduction.eels.mlls import FitSettings, shape_modes
from intercalate.reduction.eels.references import Prepared, Reference, core_component
from intercalate.reduction.eels.spectra import EelsError, SpectrumImage
from intercalate.reduction.results import UNDETERMINED, Estimate

BEFORE_COBALT_EV = (735.0, 772.0)
BEFORE_OXYGEN_EV = (510.0, 525.5)
L3_EV = (775.5, 786.5)
L2_EV = (790.0, 801.0)
AFTER_EV = (803.0, 806.5)
L3_POSITION_EV = (775.5, 784.5)
PRE_PEAK_EV = (527.5, 532.0)
REACH_EV = (BEFORE_OXYGEN_EV[0], AFTER_EV[1])

INDICATORS = ("white lines", "L3 shift", "O pre-peak")
_IS_RELATIVE = np.array([True, False, True])
"""Whether shapes change them by a part, or by some eV."""

_LEAST_SIGNAL = 5.0
"""By how many standard errors the lines must stand out."""

_REPLICAS = 80

_STATES = (1.0, 5.0)
"""Between which a valence is believed."""


@dataclass(frozen=True)
class CobaltValence:
    """Valence at every place of a profile.

    Attributes
    ----------
    by_indicator
        From each indicator alone, one list each.
    combined
        By all that can be used at a place.
    """

    by_indicator: dict[str, list[Estimate]]
    combined: list[Estimate]


def cobalt_valence(
    columns: Prepared, references: Sequence[Reference], pre_peak_usable: np.ndarray | None = None
) -> CobaltValence:
    """Valence of cobalt along a profile.

    L3/L2 hardly tells Co3+ from Co4+, the shift of L3 and the pre-peak of oxygen do. The scale of each is
    that of references measured by the same instrument, brought to the low losses of the place and read alike;
    beyond the highest it is continued evenly.

    Parameters
    ----------
    columns
        Sums over rows, shape (1, places).
    references
        Of known valence, three or more of different ones.
    pre_peak_usable
        Where oxygen belongs to cobalt alone: peroxide has a pre-peak of its own. Shape (places,); None is
        nowhere.

    Raises
    ------
    EelsError
        If references or window do not suffice.
    """
    known = sorted((one for one in references if one.cobalt_valence is not None), key=_valence_of)
    if len({_valence_of(one) for one in known}) < 3:
        raise EelsError(
            f"{len(known)} references of known cobalt valence, of {len(set(map(_valence_of, known)))} "
            "different ones, make no scale; 3 are needed"
        )
    image = columns.core.between(REACH_EV[0] - 0.5, REACH_EV[1])
    places = image.electrons.shape[1]
    usable = np.zeros(places, bool) if pre_peak_usable is None else pre_peak_usable
    scale, shape = _scale(columns, image, known)
    values, seen = _indicators(image)
    generator = np.random.Generator(np.random.SFC64(1))
    noise = np.sqrt(np.maximum(image.electrons, 0.0) + np.asarray(image.background_variance))
    replicas = np.array(
        [
            _indicators(
                replace(image, electrons=image.electrons + noise * generator.standard_normal(noise.shape))
            )[0]
            for _ in range(_REPLICAS)
        ]
    )
    stat = replicas.std(axis=0, ddof=1)
    by_indicator = {
        name: [
            _read(
                values[place, number],
                stat[place, number],
                scale[place, :, number],
                known,
                shape[place, number],
                number,
            )
            if seen[place] and (number < 2 or usable[place])
            else UNDETERMINED
            for place in range(places)
        ]
        for number, name in enumerate(INDICATORS)
    }
    combined = [combine([by_indicator[name][place] for name in INDICATORS]) for place in range(places)]
    return CobaltValence(by_indicator, combined)


def combine(found: Sequence[Estimate]) -> Estimate:
    """Weighted mean of independent estimates; undetermined where none is determined."""
    used = [one for one in found if np.isfinite(one.value)]
    if not used:
        return UNDETERMINED
    weight = np.array([1 / one.sigma**2 for one in used])
    weight /= weight.sum()
    value = float(weight @ [one.value for one in used])
    stat = float(np.sqrt(np.sum((weight * [one.sigma_stat for one in used]) ** 2)))
    systematic = float(np.sqrt(np.sum((weight * [one.sigma_sys for one in used]) ** 2)))
    return Estimate(value, stat, systematic)


def _valence_of(reference: Reference) -> float:
    return float(reference.cobalt_valence if reference.cobalt_valence is not None else np.nan)


def _oxygen_alike(known: Sequence[Reference]) -> np.ndarray:
    """Which references have as much oxygen for each cobalt as the most oxidised one."""
    per_cobalt = np.array(
        [
            COMPOUNDS[one.compound].atoms_per_nm3("O") / COMPOUNDS[one.compound].atoms_per_nm3("Co")
            for one in known
        ]
    )
    return np.abs(per_cobalt / per_cobalt[np.argmax([_valence_of(one) for one in known])] - 1.0) < 0.1


def _scale(
    columns: Prepared, image: SpectrumImage, known: Sequence[Reference]
) -> tuple[np.ndarray, np.ndarray]:
    """Indicators of the references, shape (places, references, indicators); and by what part near-edge
    structure moves each (the position: by how many eV), as it differs between a sample and its reference,
    shape (places, indicators).

    A reference is brought to the low losses of each place: beside the cathode lie materials that scatter less
    often, and plural scattering moves the ratio of the white lines.
    """
    low = columns.low.electrons[0]
    different = 1.0 + FitSettings().shape_sigma * shape_modes(image.energy_ev)
    rows, moved = [], []
    for reference in known:
        edges = [
            core_component(reference, image, low, columns.low.energy_ev, window).template
            for window in (BEFORE_COBALT_EV, BEFORE_OXYGEN_EV)
        ]
        rows.append(_measure(image.energy_ev, *edges)[0])
        changed = [(edge[:, None] * different).reshape(-1, image.energy_ev.size) for edge in edges]
        by_mode = _measure(image.energy_ev, *changed)[0].reshape(low.shape[0], -1, len(INDICATORS))
        per = np.where(_IS_RELATIVE, np.maximum(np.abs(rows[-1]), 1e-9), 1.0)
        moved.append(np.sum(((by_mode - rows[-1][:, None]) / per[:, None]) ** 2, axis=1))
    return np.stack(rows, axis=1), np.sqrt(np.mean(moved, axis=0))


def _indicators(image: SpectrumImage) -> tuple[np.ndarray, np.ndarray]:
    """Indicators at each place, shape (places, indicators), and whether cobalt is seen there."""
    electrons = image.electrons[0]
    cobalt = power_law(image, BEFORE_COBALT_EV)
    oxygen = power_law(image, BEFORE_OXYGEN_EV)
    values, lines = _measure(
        image.energy_ev, electrons - cobalt.background[0], electrons - oxygen.background[0]
    )
    inside = _inside(image.energy_ev, (L3_EV[0], L2_EV[1]))
    variance = np.asarray(image.background_variance)
    extrapolated = cobalt.sigma_stat[0][:, inside].sum(axis=1)
    sigma = np.hypot(np.sqrt((electrons[:, inside] + variance).clip(0).sum(axis=1)), extrapolated)
    with np.errstate(invalid="ignore"):
        return values, lines > _LEAST_SIGNAL * sigma


def _measure(energy_ev: np.ndarray, cobalt: np.ndarray, oxygen: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Ratio of white lines, position of L3, pre-peak over white lines; and the lines' area."""
    third, second = _inside(energy_ev, L3_EV), _inside(energy_ev, L2_EV)
    after = cobalt[:, _inside(energy_ev, AFTER_EV)].mean(axis=1)
    position = _inside(energy_ev, L3_POSITION_EV)
    # Two thirds of the continuum begin below the maximum of L3, one third below that of L2.
    step = np.where(energy_ev > 780.0, 2 / 3, 0.0) + np.where(energy_ev > 795.0, 1 / 3, 0.0)
    lines = cobalt - after[:, None] * step
    area_third, area_second = lines[:, third].sum(axis=1), lines[:, second].sum(axis=1)
    pre_peak = oxygen[:, _inside(energy_ev, PRE_PEAK_EV)].sum(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = area_third / area_second
        centre = lines[:, position] @ energy_ev[position] / lines[:, position].sum(axis=1)
        relative = pre_peak / (area_third + area_second)
    values = np.stack([ratio, centre, relative], axis=1)
    return np.nan_to_num(values, nan=0.0, posinf=1e6, neginf=-1e6), area_third + area_second


def _inside(energy_ev: np.ndarray, window_ev: tuple[float, float]) -> np.ndarray:
    return (energy_ev >= window_ev[0]) & (energy_ev <= window_ev[1])


def _read(
    value: float, stat: float, scale: np.ndarray, known: Sequence[Reference], shape_part: float, number: int
) -> Estimate:
    """Valence of an indicator's value on the references' scale, which shapes move by a part of it.

    The ratio of white lines is the same for Co3+ and above within what it is known to: where it does not
    exceed that of Co3+ clearly, it says nothing. The pre-peak is of oxygen, and its part in the lines of
    cobalt goes with how much oxygen there is for each: it is read among references that have as much of it as
    the most oxidised one, and says nothing of an oxide clearly below them, which may have lost some.
    """
    valence = np.array([_valence_of(one) for one in known])
    shape = shape_part * (abs(value) if _IS_RELATIVE[number] else 1.0)
    if number == 0:
        steep = valence <= 3.0
        if steep.sum() < 2 or value - 2.0 * np.hypot(stat, shape) < scale[steep].min():
            return UNDETERMINED
        valence, scale = valence[steep], scale[steep]
    if number == 2:
        alike = _oxygen_alike(known)
        if alike.sum() < 2 or value + 2.0 * np.hypot(stat, shape) < scale[alike].min():
            return UNDETERMINED
        valence, scale = valence[alike], scale[alike]
    order = np.argsort(scale)
    rising, states = scale[order], valence[order]
    one_way = np.sign(states[-1] - states[0]) * np.diff(states) > 0
    if not np.all(one_way) or not np.all(np.diff(rising) > 0):
        return UNDETERMINED
    at = int(np.clip(np.searchsorted(rising, value), 1, rising.size - 1))
    slope = (states[at] - states[at - 1]) / (rising[at] - rising[at - 1])
    found = float(states[at - 1] + slope * (value - rising[at - 1]))
    if not _STATES[0] < found < _STATES[1]:
        return UNDETERMINED
    return Estimate(found, float(abs(slope) * stat), float(abs(slope) * shape))
