"""A LiCoO2 / LiPON / Si battery from its side: what lies on the cathode before and during cycling.

Claims hold by three standard errors each; all of a finding must hold for it to count as recovered.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from intercalate.reduction.eels.cobalt import CobaltValence, cobalt_valence, combine
from intercalate.reduction.eels.mlls import Component, ComponentMaps, difference, fit_components
from intercalate.reduction.eels.profile import Interface, LayerFound, fit_interface, fit_layer
from intercalate.reduction.eels.references import Prepared, Reference, components_of
from intercalate.reduction.eels.spectra import EelsError
from intercalate.reduction.results import UNDETERMINED, Estimate

WINDOW_EV = (510.0, 806.0)
CATHODE = "LiCoO2"
CHARGED = "Li0.5CoO2"
DISORDERED = "Co3O4"
OXIDISED = "oxidised"
REDUCED = "disordered"
LITHIUM_OXIDES = ("Li2O", "Li2O2")

SIGMAS = 3.0
NEAR_NM = 12.0
"""Within which of the end of cobalt a layer lies on the cathode."""

OXIDISED_VALENCE = 3.0
"""Of cobalt in LiCoO2."""

_SCALE_SIGMA = 0.15
"""Declared: of a difference of valences, relative."""
_BETWEEN_SIGMA = 0.03
"""Declared: of a difference of valences between places of one sample."""
_PURE = 0.15
_BLUR_NM = 1.5


@dataclass(frozen=True)
class Amounts:
    """As much of `ComponentMaps` as findings need; by compound, shape (1, places), in nm."""

    amount: Mapping[str, np.ndarray]
    sigma_stat: Mapping[str, np.ndarray]
    sigma_sys: Mapping[str, np.ndarray]
    sigma_by_edge: Mapping[str, np.ndarray]


@dataclass(frozen=True)
class MeanAmount:
    """Of a compound over some places.

    Attributes
    ----------
    value, sigma_stat
        In nm.
    by_edge
        Systematic error by what the shape of each reference is off, with the sign of that edge's amount.
    sigma_other
        Systematic error besides: what the references do not explain.
    """

    value: float
    sigma_stat: float
    by_edge: np.ndarray
    sigma_other: float

    def minus(self, other: "MeanAmount") -> Estimate:
        """How much more it is than at other places, or in another image of one sample by the same references.

        What the shape of a reference is off is the same in both, so only the change of its edge counts.
        """
        shapes = float(np.sqrt(np.sum((self.by_edge - other.by_edge) ** 2)))
        others = np.hypot(self.sigma_other, other.sigma_other)
        return Estimate(
            self.value - other.value,
            float(np.hypot(self.sigma_stat, other.sigma_stat)),
            float(np.hypot(shapes, others)),
        )


def mean_amount(maps: ComponentMaps | Amounts, name: str, where: np.ndarray) -> MeanAmount:
    """Mean amount of a compound over places; NaN where there is none.

    Parameters
    ----------
    where
        Shape (places,).
    """
    shapes = maps.sigma_by_edge[name][:, 0]
    if not where.any():
        return MeanAmount(np.nan, np.nan, np.full(shapes.shape[0], np.nan), np.nan)
    other = np.sqrt(np.maximum(maps.sigma_sys[name][0] ** 2 - np.sum(shapes**2, axis=0), 0.0))
    return MeanAmount(
        float(maps.amount[name][0][where].mean()),
        float(np.sqrt(np.sum(maps.sigma_stat[name][0][where] ** 2)) / where.sum()),
        shapes[:, where].mean(axis=1),
        float(other[where].mean()),
    )


@dataclass(frozen=True)
class NanobatteryProfile:
    """Quantities across the battery.

    Attributes
    ----------
    x_nm
        Of each column, shape (places,).
    maps
        Amounts of compounds in nm, shape (1, places); `oxidised` is how much of the cobalt oxide has become
        Li0.5CoO2, `disordered` how much has the spectrum of Co3O4.
    valence_x_nm, valence
        Of cobalt, in wider columns.
    cathode_end
        Where cobalt oxide ends.
    """

    x_nm: np.ndarray
    maps: ComponentMaps | Amounts
    valence_x_nm: np.ndarray
    valence: CobaltValence
    cathode_end: Interface


@dataclass(frozen=True)
class Claim:
    """One statement: a number, what it must exceed, and whether it does by three standard errors."""

    name: str
    value: Estimate
    threshold: float
    holds: bool


@dataclass(frozen=True)
class LayerFinding:
    """What lies on the cathode.

    Attributes
    ----------
    recovered
        Whether all claims hold.
    layers
        By compound, as fitted to its profile.
    """

    recovered: bool
    claims: tuple[Claim, ...]
    layers: Mapping[str, LayerFound]


def profile_of(
    prepared: Prepared, references: Mapping[str, Reference], x_nm: np.ndarray, valence_columns: int = 3
) -> NanobatteryProfile:
    """Reduce a spectrum image to profiles; columns run across the layers, with the cathode on the left.

    Parameters
    ----------
    references
        By compound: LiCoO2, Li0.5CoO2, Co3O4, Li2O, Li2O2 and LiPON, and CoO for the scale of valences.
    x_nm
        Of each column.

    Raises
    ------
    EelsError
        If a reference is missing or the image cannot be used.
    """
    needed = (CATHODE, CHARGED, DISORDERED, *LITHIUM_OXIDES, "LiPON", "CoO")
    missing = [name for name in needed if name not in references]
    if missing:
        raise EelsError(f"references of {', '.join(missing)} are needed; measure them in the same session")
    summed = prepared.columns(1)
    image = summed.core.between(*WINDOW_EV)
    found, bins = components_of([references[name] for name in needed[:-1]], summed, image, bins=None)
    components: list[Component] = [
        found[0],
        difference(OXIDISED, found[1], found[0]),
        difference(REDUCED, found[2], found[0]),
        *found[3:],
    ]
    maps = fit_components(image, components, summed.core_incident, thickness_bin=bins)
    wide = prepared.columns(valence_columns)
    used = x_nm.size // valence_columns * valence_columns

    def rebinned(name: str) -> np.ndarray:
        return maps.amount[name][0][:used].reshape(-1, valence_columns).mean(axis=1)

    others = sum(np.maximum(np.nan_to_num(rebinned(name)), 0.0) for name in (*LITHIUM_OXIDES, "LiPON"))
    usable = others < _PURE * np.maximum(rebinned(CATHODE), 1e-9)
    valence = cobalt_valence(wide, list(references.values()), usable)
    centres = x_nm[:used].reshape(-1, valence_columns).mean(axis=1)
    end = fit_interface(x_nm, maps.amount[CATHODE][0], maps.sigma_stat[CATHODE][0])
    return NanobatteryProfile(x_nm, maps, centres, valence, end)


def amount_at_end(profile: NanobatteryProfile, name: str) -> MeanAmount:
    """Mean amount of a compound around the end of the cathode."""
    near = np.abs(profile.x_nm - profile.cathode_end.position_nm.value) < NEAR_NM / 2
    return mean_amount(profile.maps, name, near)


def charging_finding(profile: NanobatteryProfile) -> LayerFinding:
    """Whether charging has left highly oxidised cobalt, lithium oxide and peroxide on the cathode."""
    layers, claims = {}, []
    for name in LITHIUM_OXIDES:
        layers[name], found = _on_cathode(profile, name)
        claims.extend(found)
    at_end, inside = _valence_at_end(profile), _valence_inside(profile)
    claims.append(_above("rise of the valence towards the end", _apart(at_end, inside), 0.0))
    claims.append(_above("valence of cobalt at the end of the cathode", at_end, OXIDISED_VALENCE))
    return LayerFinding(all(claim.holds for claim in claims), tuple(claims), layers)


def disordered_finding(profile: NanobatteryProfile) -> LayerFinding:
    """Whether a disordered layer lies on the cathode: cobalt of lower valence and another oxygen edge."""
    layer, claims = _on_cathode(profile, REDUCED)
    at_end, inside = _valence_at_end(profile), _valence_inside(profile)
    claims.append(_above("fall of the valence towards the end", _apart(inside, at_end), 0.0))
    return LayerFinding(all(claim.holds for claim in claims), tuple(claims), {REDUCED: layer})


def _on_cathode(profile: NanobatteryProfile, name: str) -> tuple[LayerFound, list[Claim]]:
    """A layer of a compound, with the claims that it is there and that it lies on the cathode."""
    amount = profile.maps.amount[name][0]
    sigma = profile.maps.sigma_stat[name][0]
    try:
        layer = fit_layer(profile.x_nm, amount, sigma, _BLUR_NM)
    except EelsError:
        layer = LayerFound(UNDETERMINED, UNDETERMINED, UNDETERMINED, float("nan"), False)
    end = profile.cathode_end.position_nm
    far = np.abs(profile.x_nm - end.value) > NEAR_NM
    excess = amount_at_end(profile, name).minus(mean_amount(profile.maps, name, far))
    away = UNDETERMINED
    if layer.converged and np.isfinite(end.value):
        # Positive where the layer is within reach of the end of the cathode.
        distance = abs(layer.centre_nm.value - end.value)
        away = Estimate(
            NEAR_NM - distance,
            float(np.hypot(layer.centre_nm.sigma_stat, end.sigma_stat)),
            float(np.hypot(layer.centre_nm.sigma_sys, end.sigma_sys)),
        )
    return layer, [
        _above(f"{name} on the cathode over elsewhere, nm", excess, 0.0),
        _above(f"{name}: nearness of its layer to the cathode, nm", away, 0.0),
    ]


def _above(name: str, value: Estimate, threshold: float) -> Claim:
    holds = bool(np.isfinite(value.value) and value.value - SIGMAS * value.sigma > threshold)
    return Claim(name, value, threshold, holds)


def _valence_at_end(profile: NanobatteryProfile) -> Estimate:
    end = profile.cathode_end.position_nm.value
    # Deeper in, the many electrons of the cathode would outweigh those of what lies on it.
    x_nm = profile.valence_x_nm - end
    return _mean_valence(profile, (x_nm > -NEAR_NM / 4) & (x_nm < NEAR_NM / 2))


def _valence_inside(profile: NanobatteryProfile) -> Estimate:
    end = profile.cathode_end.position_nm.value
    return _mean_valence(profile, profile.valence_x_nm < end - NEAR_NM)


def _apart(one: Estimate, other: Estimate) -> Estimate:
    """Difference within an image: what a reference's shape is off is common to all cobalt oxide of a sample.

    Left are the slope of the scale, and what differs between one oxide and the other.
    """
    away = one.value - other.value
    systematic = np.hypot(_SCALE_SIGMA * away, _BETWEEN_SIGMA)
    return Estimate(away, float(np.hypot(one.sigma_stat, other.sigma_stat)), float(systematic))


def _mean_valence(profile: NanobatteryProfile, where: np.ndarray) -> Estimate:
    """Weighted mean over places, whose systematic errors are common to them."""
    used = [one for one, inside in zip(profile.valence.combined, where) if inside and np.isfinite(one.value)]
    found = combine(used)
    if not used:
        return UNDETERMINED
    return Estimate(found.value, found.sigma_stat, float(np.mean([one.sigma_sys for one in used])))
