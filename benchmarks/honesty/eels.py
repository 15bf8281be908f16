"""Electron energy losses of a thin battery: thickness, compounds, lithium, valence, interfaces."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache

import numpy as np

from benchmarks.honesty.ensembles import Outcome
from intercalate.materials.eels import COMPOUNDS
from intercalate.reduction.eels import (
    EelsCamera,
    FitSettings,
    Prepared,
    Reference,
    charging_finding,
    cobalt_valence,
    components_of,
    difference,
    disordered_finding,
    fit_components,
    fit_interface,
    lithium_map,
    prepare,
    profile_of,
    thickness,
)
from intercalate.reduction.eels.lithium import SHAPE_SIGMA
from intercalate.reduction.results import Estimate
from intercalate_sims.noise import keyed_generator
from intercalate_sims.probes.eels import EelsProbe, Layer, Scan, ThinSample
from intercalate_sims.probes.eels_compounds import NOMINAL_VALENCE
from intercalate_sims.probes.eels_instrument import EelsSpectrometer, HiddenEels

SPECTROMETER = EelsSpectrometer()
REFERENCES = ("CoO", "Co3O4", "LiCoO2", "Li0.5CoO2", "Li2O", "Li2O2", "LiPON")
COMPONENTS = ("LiCoO2", "Li2O", "Li2O2", "LiPON")
REFERENCE_NM = 50.0
REFERENCE_SIGMA = 0.03
PIXEL_SIGMA = 0.01
OWN_SIGMA = FitSettings().shape_sigma
FINDING_SCAN = Scan(columns=64, rows=48, pixel_nm=1.0, beam_na=0.04, is_cold=True)
FILM_SCAN = Scan(columns=8, rows=8, pixel_nm=1.0, beam_na=0.05, is_cold=True)
FILM_NM = (20.0, 100.0)
SCAN = Scan(columns=40, rows=12, pixel_nm=1.0, beam_na=0.05, is_cold=True)


def camera_of(nominal: EelsSpectrometer, frames: int = 1) -> EelsCamera:
    """As a user knows it."""
    return EelsCamera(
        nominal.dispersion_ev,
        nominal.low_first_ev,
        nominal.core_first_ev,
        nominal.low_share,
        nominal.counts_per_electron,
        nominal.read_noise_electrons,
        nominal.full_well_counts * frames,
        nominal.point_spread,
    )


@dataclass(frozen=True)
class Session:
    """An instrument of one seed with its references."""

    probe: EelsProbe
    dark: np.ndarray
    references: Mapping[str, Reference] = field(default_factory=dict)

    def take(self, sample: ThinSample, scan: Scan, key: int) -> tuple[Prepared, Mapping]:
        """A spectrum image, made ready, and what made it."""
        taken = self.probe.take(sample, scan, key)
        return prepare(taken.low, taken.core, self.dark, camera_of(SPECTROMETER)), taken.truth


@lru_cache(maxsize=2)
def session_of(world: int) -> Session:
    """References are films whose thickness is told to 3 %."""
    probe = EelsProbe(SPECTROMETER, HiddenEels.draw(world), world)
    dark = probe.dark(2000, 1).mean(axis=0)
    told = keyed_generator(world, "told thickness", 0).standard_normal(len(REFERENCES))
    references = {}
    for number, (name, off) in enumerate(zip(REFERENCES, told)):
        taken = probe.reference(name, REFERENCE_NM, 1000 + number)
        references[name] = Reference(
            name,
            prepare(taken.low, taken.core, dark, camera_of(SPECTROMETER, 400)),
            REFERENCE_NM * (1 + REFERENCE_SIGMA * float(off)),
            REFERENCE_SIGMA,
            NOMINAL_VALENCE.get(name),
        )
    return Session(probe, dark, references)


def sample_of(world: int) -> ThinSample:
    """A cathode, what lies on it, and the electrolyte."""
    draw = keyed_generator(world, "battery", 0)
    share = 0.2 + 0.3 * draw.random(2)
    layers = (
        Layer("cathode", 14.0 + 2.0 * draw.random(), {"LiCoO2": 1.0}, 2.9 + 0.8 * float(draw.random())),
        Layer(
            "on it",
            10.0,
            {"Li2O": share[0], "Li2O2": share[1], "LiPON": 1.0 - share.sum()},
        ),
        Layer("electrolyte", 20.0, {"LiPON": 1.0}),
    )
    return ThinSample(layers, 40.0 + 25.0 * float(draw.random()), 0.1, 0.7 + 0.8 * float(draw.random()))


class EelsBattery:
    """All quantities of one spectrum image."""

    title = "Electron energy losses"

    def measure(self, world: int, noise: int) -> Mapping[str, Outcome]:
        """Quantities by name with unit."""
        session, sample = session_of(world), sample_of(world)
        told_nm = SCAN.pixel_nm
        scan = replace(
            SCAN,
            pixel_nm=told_nm * (1 + PIXEL_SIGMA * keyed_generator(world, "pixel", 0).standard_normal()),
        )
        # The thickness belongs to the world, the noise to the exposure: the key holds both.
        prepared, truth = session.take(sample, scan, 100_000 * (world + 1) + noise)
        image = prepared.core.between(510.0, 806.0)
        references = [session.references[name] for name in COMPONENTS]
        # Cobalt oxide of another valence has another edge: what changes is fitted beside it.
        components, bins = components_of([*references, session.references["Li0.5CoO2"]], prepared, image)
        components[4] = difference("oxidised", components[4], components[0])
        maps = fit_components(image, components, prepared.core_incident, thickness_bin=bins)
        found: dict[str, Outcome] = {}
        regions = {"LiCoO2": (2, 12), "Li2O": (18, 23), "Li2O2": (18, 23), "LiPON": (29, 39)}
        for name, (first, last) in regions.items():
            where = np.zeros(maps.misfit.shape, bool)
            where[:, first:last] = True
            true = truth["thickness_nm"][name][where].mean()
            found[f"{name} (nm)"] = Outcome(float(true), maps.mean(name, where))
        found.update(self._lithium(session, prepared, truth))
        found.update(self._profiles(session, prepared, truth, maps, told_nm))
        return found

    def _lithium(self, session: Session, prepared: Prepared, truth: Mapping) -> dict[str, Outcome]:
        references = {"Li": session.references["LiPON"], "Co": session.references["CoO"]}
        # Whose compound lies there is known of the electrolyte alone, and it is that of the reference.
        of_any, of_own = (lithium_map(prepared, references, sigma) for sigma in (SHAPE_SIGMA, OWN_SIGMA))
        found = {}
        for place, (first, last, maps) in {
            "cathode": (2, 12, of_any),
            "layer": (18, 23, of_any),
            "electrolyte": (29, 39, of_own),
        }.items():
            where = np.zeros(maps.misfit.shape, bool)
            where[:, first:last] = True
            true = sum(
                thickness[where].mean() * COMPOUNDS[name].atoms_per_nm3("Li")
                for name, thickness in truth["thickness_nm"].items()
            )
            found[f"Li of the {place} (1/nm2)"] = Outcome(float(true), maps.mean("Li", where))
        return found

    def _profiles(
        self, session: Session, prepared: Prepared, truth: Mapping, maps, told_nm: float
    ) -> dict[str, Outcome]:
        cobalt = cobalt_valence(
            prepared.columns(5), list(session.references.values()), np.array([True, True, *[False] * 6])
        )
        found = {
            "valence of cobalt": Outcome(float(np.nanmean(truth["cobalt_valence"][5:10])), cobalt.combined[1])
        }
        amount = maps.amount["LiCoO2"].mean(axis=0)
        sigma = np.sqrt(np.sum(maps.sigma_stat["LiCoO2"] ** 2, axis=0)) / maps.amount["LiCoO2"].shape[0]
        end = fit_interface(told_nm * np.arange(amount.size), amount, sigma, PIXEL_SIGMA)
        found["end of the cathode (nm)"] = Outcome(float(truth["interfaces_nm"][0]), end.position_nm)
        found["width of the end (nm)"] = Outcome(float(truth["interface_sigma_nm"]), end.width_nm)
        return found


class Films:
    """Thickness in mean free paths of films of known compounds."""

    title = "Thickness of films by electron losses"
    compounds = ("LiCoO2", "Li2O", "Li2O2", "LiPON", "C")

    def measure(self, world: int, noise: int) -> Mapping[str, Outcome]:
        """Mean of a scan of each; where losses end beyond the window is told once for all of its pixels."""
        session = session_of(world)
        found = {}
        for number, compound in enumerate(self.compounds):
            nm = float(keyed_generator(world, f"film of {compound}", 0).uniform(*FILM_NM))
            sample = ThinSample((Layer(compound, FILM_SCAN.columns, {compound: 1.0}),), nm)
            prepared, truth = session.take(sample, FILM_SCAN, 100_000 * (world + 1) + 1000 * number + noise)
            thick = thickness(prepared.low, compound)
            own = float(np.sqrt(np.sum(thick.sigma_stat**2))) / thick.sigma_stat.size
            estimate = Estimate(
                float(thick.t_over_lambda.mean()),
                float(np.hypot(own, thick.sigma_common.mean())),
                float(thick.sigma_sys.mean()),
            )
            found[f"t/lambda of {compound}"] = Outcome(float(truth["t_over_lambda"].mean()), estimate)
        return found


class Nanobatteries:
    """A battery charged, as made, without what lies on its cathode, and with it on the anode.

    Each world has its own instrument, references, thickness and layers.
    """

    title = "What lies on the cathode"
    classes = ("charged", "before cycling", "nothing")

    def sort(self, number: int) -> tuple[str, str]:
        """The true state of a drawn battery, and what both findings say of it."""
        world, kind = number // 4, number % 4
        session = session_of(world)
        prepared, truth = session.take(self._sample(world, kind), FINDING_SCAN, 100_000 * (world + 1) + kind)
        profile = profile_of(prepared, session.references, truth["x_nm"])
        found = [
            name
            for name, finding in (
                ("charged", charging_finding(profile)),
                ("before cycling", disordered_finding(profile)),
            )
            if finding.recovered
        ]
        return ("charged", "before cycling", "nothing", "nothing")[kind], " and ".join(found) or "nothing"

    @staticmethod
    def _sample(world: int, kind: int) -> ThinSample:
        draw = keyed_generator(world, "nanobattery", 0).random(6)
        inside = 3.0 + 0.3 * float(draw[0])
        width, oxides = 6.0 + 4.0 * float(draw[1]), 0.2 + 0.1 * draw[2:4]
        rest = (Layer("electrolyte", 16.0, {"LiPON": 1.0}), Layer("anode", 20.0, {"Si": 1.0}))
        cathode = Layer("cathode", 24.0, {"LiCoO2": 1.0}, inside if kind != 1 else None)
        held = {"Li2O": float(oxides[0]), "Li2O2": float(oxides[1])}
        left = 1.0 - float(oxides.sum())
        layers = {
            0: (cathode, Layer("on it", width, {"LiCoO2": left, **held}, inside + 0.4), *rest),
            1: (cathode, Layer("disordered", width, {"LiCoO2": 0.2, "Co3O4": 0.8}), *rest),
            2: (cathode, *rest),
            3: (cathode, rest[0], Layer("on the anode", width, {"Si": left, **held}), rest[1]),
        }[kind]
        return ThinSample(layers, 40.0 + 20.0 * float(draw[4]), 0.1, 0.7 + 0.8 * float(draw[5]))


MEASUREMENTS = (EelsBattery(), Films())
SORTINGS = ()
FINDINGS = (Nanobatteries(),)
"""Sorted as well, but slow: a spectrum image each."""
