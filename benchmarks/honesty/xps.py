"""Whether errors of photoelectron spectra are true: positions, composition, thickness, species."""

from collections.abc import Mapping, Sequence

import numpy as np

from benchmarks.honesty.ensembles import Measurement, Outcome, Sorting, given_class
from intercalate.reduction.results import Estimate
from intercalate.reduction.xps import (
    GOLD_EV,
    SILVER_EV,
    AmountSeries,
    AnalyserOnPaper,
    MapIrregularity,
    MappedRegion,
    RegionSpectrum,
    XpsOptions,
    amount_series,
    chemical_map,
    components_of,
    composition,
    counted,
    energy_scale,
    find_irregularities,
    fit_regions,
    identify_layer,
    layer_amounts_nm,
    overlayer_thickness,
    sei_steps,
    share_map,
)
from intercalate_sims.noise import keyed_generator
from intercalate_sims.probes.xps import Analyser, HiddenXps, Region, spectrum
from intercalate_sims.probes.xps_map import Grid, lithium_aluminium
from intercalate_sims.probes.xps_map import chemical_map as sample_map
from intercalate_sims.probes.xps_samples import Layer, Stack
from intercalate_sims.probes.xps_sei import SeiGrowth, SeiWorld, amounts_with_errors

O1S = Region("O 1s", 524.0, 540.0, sweeps=5)
C1S = Region("C 1s", 280.0, 296.0, sweeps=5)
F1S = Region("F 1s", 678.0, 694.0, sweeps=5)
LI1S = Region("Li 1s", 48.0, 64.0, sweeps=20)
AU4F = Region("Au 4f", 78.0, 94.0, sweeps=2)
AG3D = Region("Ag 3d", 362.0, 380.0, sweeps=2)
AL2P_MAP = Region("Al 2p", 66.0, 80.0, 0.5, 80.0, 0.05, 1)
LI1S_MAP = Region("Li 1s", 48.0, 62.0, 0.5, 80.0, 0.2, 1)
SEI_REGIONS = (
    Region("Li 1s", 48.0, 62.0, 0.2, sweeps=20),
    Region("S 2p", 156.0, 174.0, 0.2, sweeps=10),
    Region("C 1s", 280.0, 296.0, 0.2, sweeps=5),
    Region("N 1s", 390.0, 404.0, 0.2, sweeps=10),
    Region("O 1s", 524.0, 540.0, 0.2, sweeps=5),
    Region("F 1s", 680.0, 694.0, 0.2, sweeps=10),
)

_ANALYSER = Analyser(flood_gun=True)
_PAPER = AnalyserOnPaper()


def measured(
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
        """Metals once, as for any calibration; then graphite."""
        references = []
        grounded = Analyser()
        for name, region, true_ev in (("Au", AU4F, GOLD_EV), ("Ag", AG3D, SILVER_EV)):
            spectra = measured([Layer(name)], [region], world, 0, grounded)
            fit = fit_regions(spectra, components_of([name], spectra))
            references.append((fit.centre[f"{name} {region.name}"], true_ev))
        scale = energy_scale(references)
        spectra = measured([Layer("graphite")], [C1S], world, noise, grounded)
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
        spectra = measured([layer], [O1S, C1S, F1S, LI1S], world, noise)
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
        spectra = measured(stack, [O1S, LI1S], world, noise)
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
        spectra = measured(stack, [O1S, LI1S], number, 0, Analyser())
        levels = {"O 1s": ("O 1s", 530.5), "Li 1s": ("Li 1s", 55.0)}
        options = XpsOptions(search_ev=6.0)
        return true, given_class(
            lambda: identify_layer(spectra, levels, self.classes, options=options)[0].compound or "undecided"
        )


class Irregular:
    """Place and size of the clearest irregularity of an alloy of lithium and aluminium."""

    title = "XPS map"

    def measure(self, world: int, noise: int) -> Mapping[str, Outcome]:
        """One to three irregularities in a map of 32 x 32 points."""
        grid = Grid()
        sample = lithium_aluminium(world, 1 + world % 3, grid)
        raw = sample_map(sample, grid, (AL2P_MAP, LI1S_MAP), Analyser(), HiddenXps.draw(world), world, noise)
        found = irregularities_of(raw, grid)
        if not found:
            return {}
        one = found[0]
        far = [
            np.hypot(one.x_um.value - each.x_um, one.y_um.value - each.y_um) for each in sample.irregularities
        ]
        true = sample.irregularities[int(np.argmin(far))]
        return {
            "x (um)": Outcome(true.x_um, one.x_um),
            "y (um)": Outcome(true.y_um, one.y_um),
            "diameter (um)": Outcome(2 * float(np.sqrt(true.semi_x_um * true.semi_y_um)), one.diameter_um),
        }


def irregularities_of(raw: Mapping[str, np.ndarray], grid: Grid) -> list[MapIrregularity]:
    """From counts of a map to what is irregular in it."""
    mapped = [
        MappedRegion(
            one.name, one.binding_ev(), raw[one.name], one.dwell_s * one.sweeps, one.pass_energy_ev, _PAPER
        )
        for one in (AL2P_MAP, LI1S_MAP)
    ]
    components = [*components_of(["LiAl"], mapped, "alloy"), *components_of(["Li2O"], mapped, "skin")]
    chemical = chemical_map(mapped, components)
    lines = ["alloy: LiAl Al 2p", "alloy: LiAl Li 1s"]
    share = share_map(chemical, lines[0], lines, matrix="LiAl")
    return find_irregularities(share.share, share.sigma, grid.step_um, spot_um=grid.spot_um)


class Count:
    """How many irregularities a map has."""

    title = "XPS map: number of irregularities"
    classes: Sequence[str] = ("0", "1", "2", "3")

    def sort(self, number: int) -> tuple[str, str]:
        """None in every fourth map."""
        grid = Grid()
        sample = lithium_aluminium(number, number % 4, grid)
        raw = sample_map(sample, grid, (AL2P_MAP, LI1S_MAP), Analyser(), HiddenXps.draw(number), number, 0)
        return str(len(sample.irregularities)), str(len(irregularities_of(raw, grid)))


SEI_HOURS = np.linspace(0.0, 20.0, 30)
SEI_GROUPS = {
    "primary": ("layer: Li3N N 1s", "layer: LiF F 1s"),
    "secondary": ("layer: Li2S2O3 S 2p central", "layer: Li2S4O6 S 2p sulfonate", "layer: Li2CO3 C 1s"),
    "polysulfide": ("layer: Li2S6 S 2p bridging", "layer: Li2S S 2p"),
}
"""Lines that belong to one group alone."""


class StepsOfAmounts:
    """Whether a layer that grows in steps is told from others, with errors of amounts as they may be."""

    title = "XPS growth of a layer, from amounts"
    classes: Sequence[str] = ("in steps", "otherwise")

    def sort(self, number: int) -> tuple[str, str]:
        """In steps, all together, not at all, and in another order."""
        true = tuple(SeiWorld)[number % 4]
        growth = SeiGrowth.draw(number, true, float(SEI_HOURS[-1]))
        amounts = amounts_with_errors(growth, SEI_HOURS.tolist(), number)
        series = AmountSeries(
            SEI_HOURS,
            {group: one[0] for group, one in amounts.items()},
            {group: one[1] for group, one in amounts.items()},
        )
        found = sei_steps(series, list(SEI_GROUPS)).recovered
        return self.classes[true is not SeiWorld.STEPS], self.classes[not found]


class StepsOfSpectra(StepsOfAmounts):
    """The same from spectra of six regions at these times; some seconds each."""

    title = "XPS growth of a layer, from spectra"

    def __init__(self, hours: np.ndarray):
        self.hours = hours

    def sort(self, number: int) -> tuple[str, str]:
        """All visits of one cell."""
        true = tuple(SeiWorld)[number % 4]
        growth = SeiGrowth.draw(number, true, float(SEI_HOURS[-1]))
        amounts = [
            layer_amounts(growth.stack(float(hours)), number, visit) for visit, hours in enumerate(self.hours)
        ]
        found = sei_steps(amount_series(self.hours.tolist(), amounts), list(SEI_GROUPS)).recovered
        return self.classes[true is not SeiWorld.STEPS], self.classes[not found]


def layer_amounts(stack: Stack, world: int, visit: int) -> dict[str, Estimate]:
    """Amounts of the groups of a layer on lithium, from one visit."""
    spectra = measured(stack, SEI_REGIONS, world, visit, Analyser())
    compounds = [
        *("Li2O", "Li3N", "LiF", "Li2S2O3", "Li2S4O6", "Li2CO3", "Li2S6", "Li2S"),
        "adventitious carbon",
    ]
    components = [
        *components_of(compounds, spectra, "layer", tied=True),
        *components_of(["Li"], spectra, "metal"),
    ]
    fit = fit_regions(spectra, components, XpsOptions(search_ev=0.0))
    return layer_amounts_nm(fit, SEI_GROUPS, substrate_line="metal: Li Li 1s", substrate="Li")


MEASUREMENTS: tuple[Measurement, ...] = (Scale(), Surface(), Overlayer(), Irregular())
SORTINGS: tuple[Sorting, ...] = (Lithiated(), Count(), StepsOfAmounts())
SLOW_SORTINGS: tuple[Sorting, ...] = (StepsOfSpectra(SEI_HOURS),)
"""Minutes for a hundred."""
