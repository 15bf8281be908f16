"""Chemical maps: what there is at each point, and where a sample is not what it is elsewhere."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from intercalate.materials.xps import LEVELS
from intercalate.reduction.results import Estimate
from intercalate.reduction.xps.components import Component, XpsOptions
from intercalate.reduction.xps.composition import Sensitivity, atoms_per_area
from intercalate.reduction.xps.counts import AnalyserOnPaper, XpsError, counted
from intercalate.reduction.xps.fit import XpsFit, fit_regions

_LEAST_PIXELS = 25
_OF_SUMS = XpsOptions(tolerance=0.2, max_iterations=100)
"""A sum of a thousand spectra is counted far better than a profile fits; its shapes alone are taken."""
_EIGHT = np.ones((3, 3), dtype=int)
_SMALL_CORE = 4
_PLACE = 0.03
"""Of a step, the standard uncertainty of a place by that of the steps."""
_RIM = 0.08
"""Of a share in the rim of a place, which is a spot wide, by the share not being what lies in between: half
of the relative difference in electrons of both materials, some 30 %, at the middle of the rim, less towards
its ends."""


@dataclass(frozen=True)
class MappedRegion:
    """One region at each point of a map.

    Attributes
    ----------
    binding_ev
        Ascending, shape (points,).
    counts
        Shape (rows, columns, points).
    seconds
        For which each point of each spectrum was counted.
    """

    name: str
    binding_ev: np.ndarray
    counts: np.ndarray
    seconds: float
    pass_energy_ev: float
    analyser: AnalyserOnPaper


@dataclass(frozen=True)
class ChemicalMap:
    """Areas at each point, shape (rows, columns) each, in counts eV.

    Attributes
    ----------
    fit
        Of the sum of all spectra, from which positions, widths and backgrounds are taken.
    sigma
        Statistical; independent between points.
    covariance
        Statistical, of two components of one region: lines that overlap take from each other.
    """

    area: Mapping[str, np.ndarray]
    sigma: Mapping[str, np.ndarray]
    covariance: Mapping[tuple[str, str], np.ndarray]
    fit: XpsFit


def chemical_map(
    regions: Sequence[MappedRegion], components: Sequence[Component], options: XpsOptions | None = None
) -> ChemicalMap:
    """Fit the sum of all spectra, and then the strength of each component at each point.

    Raises
    ------
    XpsError
        If shapes differ, the sum cannot be fitted, or its fit has failed: nothing is known of single points
        then.
    """
    _check(regions)
    sums = []
    for one in regions:
        pixels = one.counts.shape[0] * one.counts.shape[1]
        sums.append(
            counted(
                one.name,
                one.binding_ev,
                one.counts.sum(axis=(0, 1), dtype=float),
                seconds=one.seconds * pixels,
                pass_energy_ev=one.pass_energy_ev,
                analyser=one.analyser,
            )
        )
    fit = fit_regions(sums, components, options or _OF_SUMS)
    if not fit.converged:
        raise XpsError(f"the sum of all spectra of the map was not fitted: {fit.message}")
    area: dict[str, np.ndarray] = {}
    sigma: dict[str, np.ndarray] = {}
    covariance: dict[tuple[str, str], np.ndarray] = {}
    for one, whole in zip(regions, sums):
        part = fit.region(one.name)
        span = 2 * (part.binding_ev - part.binding_ev[0]) / np.ptp(part.binding_ev) - 1
        design = np.column_stack([part.templates, np.ones(span.size), span])
        weight = 1.0 / np.maximum(part.model, 1e-9 * part.model.max())
        inverse = np.linalg.pinv(design.T @ (weight[:, None] * design), rcond=1e-10)
        project = inverse @ (design.T * weight)
        raw = one.counts[..., whole.used].astype(float)
        alive = np.maximum(1.0 - raw / one.seconds * one.analyser.dead_time_s, 0.1)
        values = (raw / alive) @ project.T
        # Where nothing was counted, the mean of the map says by how much that could have been otherwise.
        spread = np.maximum(raw, 0.3 * part.model / (raw.shape[0] * raw.shape[1])) / alive**4
        for number, name in enumerate(part.component_names):
            common = spread @ (project * project[number]).T
            area[name], sigma[name] = values[..., number], np.sqrt(common[..., number])
            covariance |= {(name, other): common[..., k] for k, other in enumerate(part.component_names)}
    return ChemicalMap(area, sigma, covariance, fit)


def _check(regions: Sequence[MappedRegion]) -> None:
    if not regions:
        raise XpsError("a map without regions")
    shapes = {one.counts.shape[:2] for one in regions if one.counts.ndim == 3}
    if len(shapes) != 1 or any(one.counts.ndim != 3 for one in regions):
        listed = ", ".join(f"{one.name} {one.counts.shape}" for one in regions)
        raise XpsError(
            f"counts of a map are (rows, columns, points), the same grid for all regions; got {listed}"
        )
    for one in regions:
        if one.counts.shape[2] != one.binding_ev.size:
            raise XpsError(
                f"region {one.name} of the map has {one.counts.shape[2]} points and {one.binding_ev.size} "
                "energies"
            )


@dataclass(frozen=True)
class ShareMap:
    """Part of one element among several at each point, shape (rows, columns).

    Attributes
    ----------
    relative_sys
        Of the ratio between the first element and the others, common to all points.
    """

    share: np.ndarray
    sigma: np.ndarray
    relative_sys: float


def share_map(
    chemical: ChemicalMap,
    of: str,
    among: Sequence[str],
    *,
    matrix: str,
    sensitivity: Sensitivity | None = None,
) -> ShareMap:
    """Atomic share of a component among several; what is common to all, such as roughness, cancels.

    Parameters
    ----------
    of, among
        Names of components; the first is one of the others.
    matrix
        Compound whose mean free paths are taken.

    Raises
    ------
    XpsError
        If a component is not in the map.
    """
    missing = [name for name in (of, *among) if name not in chemical.area]
    if missing or of not in among:
        named = f"{missing[0]} is not in the map" if missing else f"{of} is not among {', '.join(among)}"
        raise XpsError(f"{named}; there are {', '.join(chemical.area)}")
    by_name = {one.name: one for one in chemical.fit.components}
    spectra = {one.name: one for one in chemical.fit.spectra}
    amounts, units = [], []
    for name in among:
        one = by_name[name]
        spectrum = spectra[one.region]
        unit = atoms_per_area(
            LEVELS[one.level], one.binding_ev, spectrum.pass_energy_ev, spectrum.analyser, matrix
        )
        unit *= spectrum.seconds
        amounts.append(chemical.area[name] / unit)
        units.append(unit)
    total = np.sum(amounts, axis=0)
    common = {
        (i, j): chemical.covariance[one, other] / (units[i] * units[j])
        for i, one in enumerate(among)
        for j, other in enumerate(among)
        if (one, other) in chemical.covariance
    }
    known = total > 3.0 * np.sqrt(np.sum(list(common.values()), axis=0))
    safe = np.where(known, total, np.nan)
    share = amounts[list(among).index(of)] / safe
    slopes = [(float(name == of) - share) / safe for name in among]
    variance = np.sum([slopes[i] * slopes[j] * one for (i, j), one in common.items()], axis=0)
    levels = [by_name[name] for name in (of, next((one for one in among if one != of), of))]
    covariance = (sensitivity or Sensitivity()).covariance(
        [LEVELS[one.level] for one in levels], np.array([one.binding_ev for one in levels])
    )
    relative = float(np.sqrt(covariance[0, 0] + covariance[1, 1] - 2 * covariance[0, 1]))
    return ShareMap(share, np.sqrt(variance), relative)


@dataclass(frozen=True, slots=True)
class MapIrregularity:
    """A place where the sample is another one.

    Attributes
    ----------
    x_um, y_um
        Of its centre, from the first point of the map.
    area_um2, diameter_um
        Of it, and of a circle of that area.
    contrast
        Inside less outside, in the unit of the map.
    significance
        Of all of it together, in standard errors.
    touches_edge
        Whether it reaches the edge of the map, and may go on beyond.
    """

    x_um: Estimate
    y_um: Estimate
    area_um2: Estimate
    diameter_um: Estimate
    contrast: Estimate
    significance: float
    touches_edge: bool


def find_irregularities(
    image: np.ndarray, sigma: np.ndarray, step_um: float, *, spot_um: float = 0.0, threshold: float = 5.0
) -> list[MapIrregularity]:
    """Places that differ from the median of a map, the most significant first.

    A place is a connected region in which the mean over three by three points lies off by `threshold`
    standard errors, of counting and of the scatter of the map. Its area is what it has in all over what it
    has in its middle, which no blurring changes as long as the middle is reached.

    Parameters
    ----------
    image, sigma
        Shape (rows, columns); NaN where unknown.
    spot_um
        Full width at half maximum of what the analyser sees.

    Raises
    ------
    XpsError
        If too few points are known or shapes differ.
    """
    if image.shape != sigma.shape or image.ndim != 2:
        raise XpsError(f"image and errors of a map have the shapes {image.shape} and {sigma.shape}")
    if not step_um > 0:
        raise XpsError(f"the step of the map is {step_um:g} um; it must be more than 0")
    known = np.isfinite(image) & np.isfinite(sigma) & (sigma > 0)
    if known.sum() < _LEAST_PIXELS:
        raise XpsError(f"{int(known.sum())} points of the map are known; {_LEAST_PIXELS} are needed")
    usual, scale = _usual(image, sigma, known)
    off = np.where(known, image - usual, 0.0)
    error = np.where(known, scale * sigma, 0.0)
    count = ndimage.uniform_filter(known.astype(float), 3, mode="constant")
    mean = ndimage.uniform_filter(off, 3, mode="constant") / np.maximum(count, 1e-9)
    # The running sum of the filter may end a little below 0.
    square = np.maximum(ndimage.uniform_filter(error**2, 3, mode="constant"), 0.0)
    mean_error = np.sqrt(square / 9.0) / np.maximum(count, 1e-9)
    limit = threshold * np.maximum(mean_error, 1e-300)
    # What is summed up over a place is held against the plain mean of all that lies outside of places.
    places = np.asarray(ndimage.binary_dilation(known & (np.abs(mean) > limit), _EIGHT, 3), dtype=bool)
    outside = known & ~places
    if outside.sum() >= _LEAST_PIXELS:
        off = np.where(known, off - off[outside].mean(), 0.0)
    found: list[MapIrregularity] = []
    for sign in (1.0, -1.0):
        beyond = (sign * mean > limit) & known
        labels = np.zeros(beyond.shape, dtype=int)
        ndimage.label(beyond, _EIGHT, output=labels)
        for label in range(1, int(labels.max()) + 1):
            region = labels == label
            others = ndimage.binary_dilation(beyond & ~region, _EIGHT, 2)
            one = _measured(region, others, sign * off, error, step_um, spot_um, sign)
            if one is not None:
                found.append(one)
    return sorted(found, key=lambda one: -one.significance)


def _usual(image: np.ndarray, sigma: np.ndarray, known: np.ndarray) -> tuple[float, float]:
    """Value outside of irregularities, and by how much the scatter there exceeds counting."""
    inside = known.copy()
    usual, scale = float(np.median(image[inside])), 1.0
    for _ in range(5):
        pull = (image[inside] - usual) / sigma[inside]
        scale = max(1.0, 1.4826 * float(np.median(np.abs(pull - np.median(pull)))))
        inside = known & (np.abs(image - usual) < 3.0 * scale * sigma)
        if inside.sum() < _LEAST_PIXELS:
            break
        # Errors are those of what was counted: weights by them would prefer one side of the scatter.
        usual = float(image[inside].mean())
    return usual, scale


def _measured(
    region: np.ndarray,
    others: np.ndarray,
    off: np.ndarray,
    error: np.ndarray,
    step_um: float,
    spot_um: float,
    sign: float,
) -> MapIrregularity | None:
    """Size and place of one; None where what was found is a chance of single points."""
    smooth = np.asarray(ndimage.uniform_filter(off, 3, mode="nearest"))
    top = float(np.max(smooth[region]))
    half = region & (smooth > 0.5 * top)
    core: np.ndarray = np.asarray(ndimage.binary_erosion(half, _EIGHT), dtype=bool)
    is_small = core.sum() < _SMALL_CORE
    if is_small:
        core = np.asarray(half & (smooth > 0.8 * top), dtype=bool)
    contrast = float(off[core].mean())
    contrast_stat = float(np.sqrt(np.sum(error[core] ** 2)) / core.sum())
    around = ndimage.binary_dilation(region, _EIGHT, 2) & ~others
    rows, columns = np.nonzero(around)
    values, errors = off[around], error[around]
    whole = float(values.sum())
    whole_stat = float(np.sqrt(np.sum(errors**2)))
    if not (contrast > 0 and whole > 3.0 * whole_stat):
        return None
    area = whole / contrast * step_um**2
    # The middle of a place that is hardly larger than the spot is not reached: it looks larger and paler.
    across = max(float(np.hypot(spot_um, step_um)), step_um) / np.sqrt(area)
    # A share is no sum: where a spot sees both, the one that gives more electrons counts for more.
    shape = float(np.hypot(0.3 * across**2, _RIM * across)) + (0.1 if is_small else 0.0)
    # The middle is part of the whole: its errors go into both, and cancel in part.
    part = np.zeros(off.shape)
    part[around] = 1.0 / whole
    part[core] -= 1.0 / core.sum() / contrast
    relative_stat = float(np.sqrt(np.sum((part * error) ** 2)))
    x, y = float(values @ columns / whole), float(values @ rows / whole)
    place_stat = [
        float(np.sqrt(np.sum(((where - centre) * errors) ** 2)) / whole) * step_um
        for where, centre in ((columns, x), (rows, y))
    ]
    place_sys = _PLACE * step_um
    diameter = float(np.sqrt(4 * area / np.pi))
    border = np.ones(around.shape, dtype=bool)
    border[1:-1, 1:-1] = False
    edge = (around & border).any()
    return MapIrregularity(
        Estimate(x * step_um, place_stat[0], place_sys),
        Estimate(y * step_um, place_stat[1], place_sys),
        Estimate(area, float(area * relative_stat), float(area * shape)),
        Estimate(diameter, float(0.5 * diameter * relative_stat), float(0.5 * diameter * shape)),
        Estimate(sign * contrast, contrast_stat, contrast * float(shape)),
        whole / whole_stat,
        bool(edge),
    )
