"""What an electron energy-loss spectrometer sees of a thin sample: spectrum images, pixel by pixel."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from scipy.ndimage import correlate1d
from scipy.special import erf

from intercalate.materials.eels import COMPOUNDS, critical_dose
from intercalate_sims.noise import keyed_generator
from intercalate_sims.probes.eels_compounds import (
    COBALT_OXIDES,
    NOMINAL_VALENCE,
    ONSETS_EV,
    collected,
    core_losses,
    free_path_nm,
    valence_loss,
)
from intercalate_sims.probes.eels_instrument import CAMERA_TAIL_CHANNELS, EelsSpectrometer, HiddenEels

ELEMENTARY_PER_NA_S = 6.241509e9
"""Electrons of one nA in one second."""

_LARGEST_LOSS_EV = 3e4
"""Up to which inner shells scatter, beyond all windows."""


@dataclass(frozen=True)
class Layer:
    """A layer that the image shows from its side.

    Attributes
    ----------
    shares
        Compounds by part of the volume.
    cobalt_valence
        None for that of the compounds.
    """

    name: str
    width_nm: float
    shares: Mapping[str, float]
    cobalt_valence: float | None = None

    def __post_init__(self) -> None:
        unknown = set(self.shares) - set(COMPOUNDS)
        if unknown or not self.width_nm > 0 or any(share < 0 for share in self.shares.values()):
            raise ValueError(
                f"layer {self.name!r}: width {self.width_nm:g} nm and shares {dict(self.shares)}; the width "
                f"must be above 0, shares not negative, compounds out of {', '.join(sorted(COMPOUNDS))}"
            )


@dataclass(frozen=True)
class ThinSample:
    """Layers side by side across the image, from the left.

    Attributes
    ----------
    thickness_nm
        Along the beam, in the middle of the image.
    wedge
        Change of the thickness from left to right, relative.
    interface_nm
        Standard width of the interfaces: roughness along the beam.
    kind
        Samples of one kind have the same fine structure.
    """

    layers: tuple[Layer, ...]
    thickness_nm: float = 50.0
    wedge: float = 0.1
    interface_nm: float = 1.0
    kind: str = "sample"

    def weights(self, x_nm: np.ndarray) -> np.ndarray:
        """Part of each layer at each place, shape (layers, places); the first and last go on."""
        ends = np.cumsum([layer.width_nm for layer in self.layers])[:-1]
        passed = [0.5 * (1 + erf((x_nm - end) / np.sqrt(2) / max(self.interface_nm, 1e-6))) for end in ends]
        edges = np.array([np.ones(x_nm.size), *passed, np.zeros(x_nm.size)])
        return edges[:-1] - edges[1:]


@dataclass(frozen=True)
class Scan:
    """A grid of pixels, x across the layers.

    Attributes
    ----------
    start_nm
        Of the first column, from the left end of the sample.
    row_nm
        Between two rows; None for as much as between columns.
    """

    columns: int = 64
    rows: int = 64
    pixel_nm: float = 1.0
    start_nm: float = 0.0
    beam_na: float = 0.05
    dwell_s: float = 0.01
    is_cold: bool = False
    row_nm: float | None = None

    @property
    def electrons(self) -> float:
        """Per pixel."""
        return self.beam_na * self.dwell_s * ELEMENTARY_PER_NA_S

    @property
    def dose_e_per_a2(self) -> float:
        """Of one scan."""
        row_nm = self.pixel_nm if self.row_nm is None else self.row_nm
        return self.electrons / (100.0 * self.pixel_nm * row_nm)

    @property
    def x_nm(self) -> np.ndarray:
        """Of every column."""
        return self.start_nm + self.pixel_nm * np.arange(self.columns)


@dataclass(frozen=True)
class SpectrumImages:
    """Counts of both windows, shape (rows, columns, channels), and what made them."""

    low: np.ndarray
    core: np.ndarray
    truth: dict[str, Any] = field(default_factory=dict)


class EelsProbe:
    """Spectrum images of one instrument.

    Parameters
    ----------
    nominal
        As its users are told.
    hidden
        What they are not told.
    seed
        Of noise and of the samples' own shapes.
    """

    def __init__(self, nominal: EelsSpectrometer, hidden: HiddenEels, seed: int):
        self.nominal = nominal
        self.hidden = hidden
        self._seed = seed
        self._step = nominal.dispersion_ev * (1 + hidden.dispersion)
        self._before = round(-2.0 * nominal.low_first_ev / nominal.dispersion_ev)
        self._points = 4 * nominal.channels
        self._energy = self._step * (np.arange(self._points) - self._before)
        self._frequency = np.fft.rfftfreq(self._points, self._step)
        self._beyond = np.geomspace(self._energy[-1], _LARGEST_LOSS_EV, 400)
        self._strengths = {shell: self._factor(shell, hidden.cross_section) for shell in ONSETS_EV}

    def take(
        self, sample: ThinSample, scan: Scan, key: int, earlier_e_per_a2: float = 0.0, place: int = 0
    ) -> SpectrumImages:
        """Scan a sample.

        Parameters
        ----------
        key, place
            Of the noise, and of the unevenness of the sample there.
        earlier_e_per_a2
            Dose that the area has had before.
        """
        layers = tuple(damaged(one, scan, earlier_e_per_a2) for one in sample.layers)
        sample = replace(sample, layers=layers)
        weights = sample.weights(scan.x_nm)
        single, per_nm = (np.array(one) for one in zip(*(self._single(one, sample.kind) for one in layers)))
        thickness = self._thickness(sample, scan, place)
        drift = self._drift(scan, key)
        mean_per_nm = np.asarray(weights.T @ per_nm)
        low, core = self._windows(np.asarray(weights.T @ single), mean_per_nm, thickness, drift, scan, key)
        truth = _truth(sample, weights, thickness, drift, scan)
        truth["t_over_lambda"] = thickness * mean_per_nm
        return SpectrumImages(low, core, truth)

    def reference(
        self, compound: str, thickness_nm: float, key: int, electrons: float = 6e10
    ) -> SpectrumImages:
        """One pixel of a reference sample of one compound, with its own shapes and noise."""
        scan = Scan(1, 1, beam_na=1.0, dwell_s=electrons / ELEMENTARY_PER_NA_S)
        layer = Layer(compound, 1.0, {compound: 1.0})
        single, per_nm = self._single(layer, "reference")
        shape = np.full((1, 1), thickness_nm)
        drift = self._drift(scan, key)
        low, core = self._windows(single[None], np.array([per_nm]), shape, drift, scan, key, frames=400)
        return SpectrumImages(low, core, {"thickness_nm": thickness_nm})

    def dark(self, frames: int, key: int) -> np.ndarray:
        """Counts without a beam, shape (frames, channels)."""
        generator = keyed_generator(self._seed, "eels dark", key)
        shape = (frames, self.nominal.channels)
        return self._read(np.zeros(shape), generator, 1)

    def _single(self, layer: Layer, kind: str) -> tuple[np.ndarray, float]:
        """Transform of the single losses per nm, shape (frequencies,), and how many there are of any loss."""
        total, beyond = np.zeros(self._points), 0.0
        for compound, share in layer.shares.items():
            path_nm = free_path_nm(compound, self.hidden.collection_mrad)
            path_nm *= self._factor(f"path {compound}", self.hidden.free_path)
            here, there = (
                valence_loss(compound, one, self.hidden.tail_ev) for one in (self._energy, self._beyond)
            )
            # The free path is that of the losses to valence electrons that windows can hold.
            per = 1.0 / (path_nm * here.sum() * self._step)
            core, far = (self._core(layer, compound, one) for one in (self._energy, self._beyond))
            own = self._own_shape(f"{kind} {compound}")
            total += share * per * here
            for shell, losses in core.items():
                total += share * losses * (1.0 + own * _structure(self._energy - ONSETS_EV[shell]))
            beyond += share * float(np.trapezoid(per * there + sum(far.values()), self._beyond))
        transform = self._step * np.fft.rfft(np.roll(total, -self._before))
        return transform, float(np.real(transform[0])) + beyond

    def _core(self, layer: Layer, compound: str, energy_ev: np.ndarray) -> dict[str, np.ndarray]:
        """Losses to core electrons by shell, per eV and nm."""
        valence = layer.cobalt_valence if compound in COBALT_OXIDES else None
        found = core_losses(compound, energy_ev, valence, self.hidden.ratio_factor, self._strengths)
        taken = collected(energy_ev, self.hidden.collection_mrad)
        return {shell: losses * taken for shell, losses in found.items()}

    def _factor(self, name: str, sigma: float) -> float:
        """By what a cross-section or a free path differs from that of the tables."""
        return float(np.exp(sigma * keyed_generator(self._seed, f"scatters {name}", 0).standard_normal()))

    def _own_shape(self, name: str) -> np.ndarray:
        """By what the edges of one sample differ from those of another: a sum of slow waves."""
        generator = keyed_generator(self._seed, f"near edge {name}", 0)
        waves = 2 * np.pi / generator.uniform(6.0, 60.0, 12)
        phases = generator.uniform(0, 2 * np.pi, 12)
        wave = np.sqrt(2 / 12) * np.sum(np.cos(np.outer(self._energy, waves) + phases), axis=1)
        return self.hidden.fine_structure * wave

    def _zero_loss(self) -> np.ndarray:
        """Transform of the zero loss on the camera: a narrow peak with a weak wider one beside it, area 1."""
        sigma = self.nominal.resolution_ev / 2.3548
        wave = 2 * np.pi * self._frequency
        narrow = np.exp(-0.5 * (wave * sigma) ** 2)
        wide = np.exp(-0.5 * (wave * 1.7 * sigma) ** 2 - 1j * wave * 0.25 * sigma)
        # The channels sample the peak just so; what is left at the last frequencies would ring over the core
        # losses, which are a millionth of it.
        last = np.clip((self._frequency / self._frequency[-1] - 0.6) / 0.4, 0.0, 1.0)
        far = self.hidden.camera_tail
        # Falls off exponentially to both sides.
        upwards = 1.0 / (1.0 + 1j * wave * CAMERA_TAIL_CHANNELS * self.nominal.dispersion_ev)
        camera = 1.0 - far + far * (upwards.real + 1j * self.hidden.camera_lean * upwards.imag)
        return (0.85 * narrow + 0.15 * wide) * camera * np.cos(0.5 * np.pi * last) ** 4

    def _thickness(self, sample: ThinSample, scan: Scan, place: int) -> np.ndarray:
        generator = keyed_generator(self._seed, "thickness", place)
        across = np.linspace(-0.5, 0.5, scan.columns) if scan.columns > 1 else np.zeros(1)
        down = np.linspace(0, 1, scan.rows)
        waves = 0.03 * np.cos(2 * np.pi * np.outer(down, [0.7, 1.3]) + generator.uniform(0, 6.28, 2)).sum(1)
        return sample.thickness_nm * (1 + sample.wedge * across[None, :] + waves[:, None])

    def _drift(self, scan: Scan, key: int) -> np.ndarray:
        """Of the zero loss, shape (rows, columns): a slow walk, and what differs between rows."""
        generator = keyed_generator(self._seed, "zero loss", key)
        count = scan.rows * scan.columns
        walk = np.cumsum(generator.standard_normal(count)) / np.sqrt(max(count, 2))
        rows = generator.standard_normal(scan.rows)[:, None]
        return self.hidden.drift_ev * (walk.reshape(scan.rows, scan.columns) + 0.3 * rows)

    def _windows(
        self,
        single: np.ndarray,
        per_nm: np.ndarray,
        thickness: np.ndarray,
        drift: np.ndarray,
        scan: Scan,
        key: int,
        frames: int = 1,
    ) -> tuple[np.ndarray, np.ndarray]:
        """Counts of both windows: all orders of scattering by the exponential of the single losses."""
        nominal, channels = self.nominal, self.nominal.channels
        generator = keyed_generator(self._seed, "eels", key)
        zero = self._zero_loss()
        low = np.empty((*thickness.shape, channels), np.uint32)
        core = np.empty_like(low)
        wave = 2 * np.pi * self._frequency
        lost, turned = np.real(single) - per_nm[:, None], np.imag(single)
        windows = [
            (target, share, (round(edge / nominal.dispersion_ev) + np.arange(channels)) % self._points)
            for target, edge, share in (
                (low, nominal.low_first_ev, nominal.low_share),
                (core, nominal.core_first_ev, 1 - nominal.low_share),
            )
        ]
        for row, thick_nm in enumerate(thickness):
            shift = drift[row] + self.hidden.offset_ev
            angle = thick_nm[:, None] * turned - np.outer(shift, wave)
            spectra = np.fft.irfft(zero * _exponential(thick_nm[:, None] * lost, angle), self._points)
            for target, share, place in windows:
                expected = share * scan.electrons * np.maximum(spectra[:, place] + self.hidden.glare, 0.0)
                target[row] = self._read(expected, generator, frames)
        return low, core

    def _read(self, electrons: np.ndarray, generator: np.random.Generator, frames: int) -> np.ndarray:
        """Counts of the camera; of many short frames, their sum, from which the wells are spared."""
        nominal = self.nominal
        hit = generator.poisson(electrons).astype(float)
        spread = correlate1d(hit, nominal.point_spread, axis=1, mode="constant")
        spread += nominal.read_noise_electrons * np.sqrt(frames) * generator.standard_normal(hit.shape)
        counts = np.round(nominal.dark_counts + nominal.counts_per_electron * spread)
        return np.clip(counts, 0, nominal.full_well_counts * frames).astype(np.uint32)


def _exponential(real: np.ndarray, angle: np.ndarray) -> np.ndarray:
    """Of complex numbers, by one tangent of half the angle: faster than by sine and cosine."""
    half = np.tan(0.5 * angle)
    square = half * half
    size = np.exp(real) / (1.0 + square)
    found = np.empty(angle.shape, complex)
    found.real = size * (1.0 - square)
    found.imag = 2.0 * size * half
    return found


def _structure(above_ev: np.ndarray) -> np.ndarray:
    """By how much of it atoms around one still change the losses to a shell so far above its onset.

    Within the reach of an edge; far above, electrons are so fast that they hardly see their neighbours:
    extended fine structure falls as exp(-2 k^2 u^2) with a displacement u of some 0.07 angstrom.
    """
    wave_per_angstrom2 = np.maximum(above_ev, 0.0) / 3.81
    return np.exp(-2.0 * 0.07**2 * wave_per_angstrom2)


def damaged(layer: Layer, scan: Scan, earlier_e_per_a2: float) -> Layer:
    """A layer as it is on the average over a scan, after what it has had before.

    A phase falls by 1/e with its critical dose and becomes its product, or nothing.
    """
    shares = dict(layer.shares)
    for compound, share in layer.shares.items():
        row = critical_dose(compound, scan.is_cold)
        if row is None:
            continue
        dose = scan.dose_e_per_a2 / row.electrons_per_a2
        left = np.exp(-earlier_e_per_a2 / row.electrons_per_a2)
        left *= -np.expm1(-dose) / dose if dose > 0 else 1.0
        shares[compound] = float(share * left)
        if row.product is not None:
            shares[row.product] = shares.get(row.product, 0.0) + float(share * (1 - left))
    return replace(layer, shares=shares)


def _truth(
    sample: ThinSample, weights: np.ndarray, thickness: np.ndarray, drift: np.ndarray, scan: Scan
) -> dict[str, Any]:
    """Amounts per column as thickness of each compound, cobalt's valence and t/lambda of every pixel."""
    compounds = sorted({compound for layer in sample.layers for compound in layer.shares})
    shares = {
        compound: weights.T @ [layer.shares.get(compound, 0.0) for layer in sample.layers]
        for compound in compounds
    }
    cobalt = np.zeros(scan.columns)
    charge = np.zeros(scan.columns)
    for layer, weight in zip(sample.layers, weights):
        for compound in COBALT_OXIDES & set(layer.shares):
            atoms = weight * layer.shares[compound] * COMPOUNDS[compound].atoms_per_nm3("Co")
            state = NOMINAL_VALENCE[compound] if layer.cobalt_valence is None else layer.cobalt_valence
            cobalt, charge = cobalt + atoms, charge + atoms * state
    with np.errstate(invalid="ignore", divide="ignore"):
        valence = np.where(cobalt > 1e-6, charge / cobalt, np.nan)
    return {
        "x_nm": scan.x_nm,
        "thickness_nm": {compound: thickness * share for compound, share in shares.items()},
        "cobalt_valence": valence,
        "drift_ev": drift,
        "interface_sigma_nm": sample.interface_nm,
        "interfaces_nm": np.cumsum([layer.width_nm for layer in sample.layers])[:-1],
        "dose_e_per_a2": scan.dose_e_per_a2,
    }
