"""Whether errors of photoelectron spectra are true: positions, composition, thickness, species."""

from collections.abc import Mapping, Sequence

from benchmarks.honesty.ensembles import Measurement, Outcome, Sorting
from intercalate.reduction.xps import (
    GOLD_EV,
    SILVER_EV,
    AnalyserOnPaper,
    RegionSpectrum,
    XpsError,
    XpsOptions,
    components_of,
    composition,
    counted,
    energy_scale,
    fit_regions,
    identify_layer,
    overlayer_thickness,
)
from intercalate_sims.noise import keyed_generator
from intercalate_sims.probes.xps import Analyser, HiddenXps, Region, spectrum
from intercalate_sims.probes.xps_samples import Layer, Stack

O1S = Region("O 1s", 524.0, 540.0, sweeps=5)
C1S = Region("C 1s", 280.0, 296.0, sweeps=5)
F1S = Region("F 1s", 678.0, 694.0, sweeps=5)
LI1S = Region("Li 1s", 48.0, 64.0, sweeps=20)
AU4F = Region("Au 4f", 78.0, 94.0, sweeps=2)
AG3D = Region("Ag 3d", 362.0, 380.0, sweeps=2)

_ANALYSER = Analyser(flood_gun=True)
_PAPER = AnalyserOnPaper()


def _measured(
    stack: Stack, regions: Sequence[Region], world: int, noise: int, analyser: Analyser = _ANALYSER
) -> list[RegionSpectrum]:
    hidden = HiddenXps.draw(world)
    return [
        counted(
            one.name,
            one.binding_ev(),
            spectrum(stack, one, analyser, hidden, world, noise),
            seconds=one.dwell_s * one.sweeps,
            pass_energy_ev=one.pass_energy_ev,
            analyser=_PAPER,
        )
        for one in regions
    ]


class Scale:
    """Binding energy of C 1s of graphite after gold and silver have set the scale."""

    title = "XPS energy scale"

    def measure(self, world: int, noise: int) -> Mapping[str, Outcome]:
        """One sample with gold, silver and a film of carbonate."""
        references = []
        grounded = Analyser()
        for name, region, true_ev in (("Au", AU4F, GOLD_EV), ("Ag", AG3D, SILVER_EV)):
            spectra = _measured([Layer(name)], [region], world, noise, grounded)
            fit = fit_regions(spectra, components_of([name], spectra))
            references.append((fit.centre[f"{name} {region.name}"], true_ev))
        scale = energy_scale(references)
        spectra = _measured([Layer("graphite")], [C1S], world, noise, grounded)
        fit = fit_regions(spectra, components_of(["graphite"], spectra))
        deviations = HiddenXps.draw(world).deviations
        truth = 284.4 + deviations.binding_ev * deviations.normal("binding graphite C 1s")
        return {"C 1s (eV)": Outcome(truth, scale.corrected(fit.centre["graphite C 1s"]))}


class Surface:
    """Atomic percent of a mixture without layers."""

    title = "XPS composition"

    def measure(self, world: int, noise: int) -> Mapping[str, Outcome]:
        """Carbonate, fluoride and organic carbonate in drawn shares."""
        shares = keyed_generator(world, "xps mixture", 0).dirichlet([4.0, 4.0, 2.0])
        mixture: dict[str, float] = dict(zip(("Li2CO3", "LiF", "CH3OCO2Li"), shares.tolist()))
        layer = Layer(mixture)
        spectra = _measured([layer], [O1S, C1S, F1S, LI1S], world, noise)
        fit = fit_regions(spectra, components_of(list(mixture), spectra, tied=True))
        found = composition(fit).atomic_percent
        atoms: dict[str, float] = {}
        for compound, number in layer.parts():
            for element, count in compound.elements.items():
                if element != "H":
                    atoms[element] = atoms.get(element, 0.0) + number * count
        total = sum(atoms.values())
        return {
            f"{element} (at.%)": Outcome(100 * atoms[element] / total, found[element]) for element in atoms
        }


class Overlayer:
    """Thickness of lithium oxide on lithium, under a little hydrocarbon."""

    title = "XPS thickness"

    def measure(self, world: int, noise: int) -> Mapping[str, Outcome]:
        """From half a nanometre to six."""
        generator = keyed_generator(world, "xps overlayer", 0)
        nm, carbon = float(generator.uniform(0.5, 6.0)), float(generator.uniform(0.1, 0.8))
        stack = [Layer("adventitious carbon", carbon), Layer("Li2O", nm), Layer("Li")]
        spectra = _measured(stack, [O1S, LI1S], world, noise)
        components = [
            *components_of(["Li2O"], spectra, "oxide"),
            *components_of(["Li"], spectra, "metal"),
        ]
        fit = fit_regions(spectra, components)
        found = overlayer_thickness(
            fit,
            overlayer="Li2O",
            substrate="Li",
            overlayer_line="oxide: Li2O Li 1s",
            substrate_line="metal: Li Li 1s",
        )
        return {"d (nm)": Outcome(nm, found.nm)}


class Lithiated:
    """Oxide, hydroxide and carbonate of lithium told apart by separations, whatever the charge."""

    title = "XPS species by separation"
    classes: Sequence[str] = ("Li2O", "LiOH", "Li2CO3")

    def sort(self, number: int) -> tuple[str, str]:
        """A film on an instrument without flood gun."""
        true = self.classes[number % 3]
        carbon = float(keyed_generator(number, "xps species", 0).uniform(0.1, 0.6))
        stack = [Layer("adventitious carbon", carbon), Layer(true, 20.0), Layer("Li")]
        spectra = _measured(stack, [O1S, LI1S], number, 0, Analyser())
        levels = {"O 1s": ("O 1s", 530.5), "Li 1s": ("Li 1s", 55.0)}
        try:
            found, _ = identify_layer(spectra, levels, self.classes, options=XpsOptions(search_ev=6.0))
        except XpsError:
            return true, "undecided"
        return true, found.compound or "undecided"


MEASUREMENTS: tuple[Measurement, ...] = (Scale(), Surface(), Overlayer())
SORTINGS: tuple[Sorting, ...] = (Lithiated(),)
