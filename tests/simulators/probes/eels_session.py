"""A microscope session: references measured, then a sample, by an instrument that nobody was told of."""

from dataclasses import replace

import numpy as np

from intercalate.reduction.eels import EelsCamera, Reference, prepare
from intercalate_sims.probes.eels import EelsProbe, Layer, Scan, ThinSample
from intercalate_sims.probes.eels_instrument import EelsSpectrometer, HiddenEels

NOMINAL = EelsSpectrometer()
VALENCE = {"LiCoO2": 3.0, "Li0.5CoO2": 3.5, "CoO": 2.0, "Co3O4": 8.0 / 3.0}

LITHIUM_OXIDES = Layer("layer", 8.0, {"LiCoO2": 0.5, "Li2O": 0.25, "Li2O2": 0.25})
BATTERY = ThinSample(
    (Layer("cathode", 25.0, {"LiCoO2": 1.0}), LITHIUM_OXIDES, Layer("electrolyte", 31.0, {"LiPON": 1.0}))
)


def camera_of(nominal, full_well_counts=None):
    """What a user knows of it."""
    return EelsCamera(
        nominal.dispersion_ev,
        nominal.low_first_ev,
        nominal.core_first_ev,
        nominal.low_share,
        nominal.counts_per_electron,
        nominal.read_noise_electrons,
        full_well_counts or nominal.full_well_counts,
        nominal.point_spread,
    )


class Session:
    """An instrument with its references."""

    def __init__(self, seed, nominal=NOMINAL, hidden=None):
        self.nominal = nominal
        self.probe = EelsProbe(nominal, hidden or HiddenEels.draw(seed), seed)
        self.camera = camera_of(nominal)
        self.dark = self.probe.dark(2000, 1).mean(axis=0)
        self._seed = seed

    def reference(self, compound, thickness_nm=50.0):
        """A film whose thickness is told to 3 %."""
        taken = self.probe.reference(compound, thickness_nm, hash_of(compound))
        summed = camera_of(self.nominal, 1e15)
        told = thickness_nm * (1 + 0.03 * np.random.default_rng([self._seed, hash_of(compound)]).normal())
        return Reference(
            compound, prepare(taken.low, taken.core, self.dark, summed), told, 0.03, VALENCE.get(compound)
        )

    def take(self, sample, scan, key):
        """Prepared images, and what made them."""
        taken = self.probe.take(sample, scan, key)
        return prepare(taken.low, taken.core, self.dark, self.camera), taken.truth


def hash_of(name):
    """A number of a name, the same in every process."""
    return sum((place + 1) * ord(letter) for place, letter in enumerate(name))


def scan(columns=64, rows=16, **changed):
    """A cold scan."""
    return replace(Scan(columns, rows, is_cold=True, pixel_nm=1.0), **changed)
