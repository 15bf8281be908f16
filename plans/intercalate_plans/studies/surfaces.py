"""Of what surfaces consist and in which chemical states, and which layers lie on lithium."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import xarray as xr
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from intercalate.materials.xps import HYDROCARBON_EV, HYDROCARBON_SIGMA_EV
from intercalate.reduction.results import UNDETERMINED, Estimate
from intercalate.views.operando import BLUE, GREEN, ORANGE, VERMILION
from intercalate_plans.studies.finding import Claim, Finding, Published, Quantity
from intercalate_plans.studies.measured import Cells

LAYERS = {"Li2O": "O 1s", "Li2CO3": "C 1s", "Li3N": "N 1s"}
"""On lithium, each by a line that is not that of lithium, which they have in common."""
LITHIUM = "Li"
SCALE_SIGMA_EV = 0.05
"""Of the scale that gold and silver set, between both and somewhat beyond."""
CARBON = "film: adventitious carbon C 1s C-C"
COLOURS = (BLUE, VERMILION, GREEN, ORANGE, "#CC79A7", "#56B4E9", "#777777")


@dataclass(frozen=True)
class Surface:
    """The first acquisition of one cell's face.

    Attributes
    ----------
    host
        Compound of the electrode.
    percent
        Of elements, in at.%, as if all depths were alike.
    species
        Share of each component in the atoms, and its binding energy against adventitious carbon.
    """

    host: str
    data: xr.Dataset
    percent: Mapping[str, Estimate]
    species: Mapping[str, tuple[Estimate, Estimate]]

    def share(self, name: str) -> Estimate:
        """Of a component; undetermined where it was not looked for."""
        return self.species.get(name, (UNDETERMINED, UNDETERMINED))[0]


def analyse(cells: Cells, published: Mapping[str, Published]) -> Finding:
    """Give composition and chemical states of each face, and say whether the layers are on lithium.

    Parameters
    ----------
    cells
        Each with one acquisition of its face at rest, by regions.
    published
        Binding energies of lines of the electrodes, by compound and level.
    """
    surfaces = _surfaces(cells)
    wanted = dict.fromkeys([*(name.split(" ")[0] for name in published), LITHIUM])
    missing = [host for host in wanted if host not in surfaces]
    if missing:
        text = f"Nothing is known of the surface of {', '.join(missing)}."
        return Finding(text, [], [Claim.undetermined("every surface is analysed")])
    quantities: list[Quantity] = []
    for host, surface in surfaces.items():
        for element, one in surface.percent.items():
            label = f"{element} of {host}"
            quantities.append(Quantity(f"{host}_{element}", label, one.value, one.sigma, "at.%"))
    claims: list[Claim] = []
    for name, number in published.items():
        host, level = name.split(" ", 1)
        _, binding = surfaces[host].species.get(f"substrate: {name}", (UNDETERMINED, UNDETERMINED))
        state = Quantity(f"ev_{host}_{level}", f"{level} of {host}", binding.value, binding.sigma, "eV")
        quantities.append(state)
        if not level.startswith("C "):
            # Phosphates of both valences of iron share a line: what is seen is the element. Carbon is in the
            # film as well, and is told by its energy alone, on an earthed conductor.
            share = surfaces[host].percent.get(level.split(" ")[0], UNDETERMINED)
            claims.append(Claim.exceeds(f"{level} of {host} is seen", share.value, share.sigma))
        claims.append(Claim.agrees(f"{level} of {host} is in its chemical state", state, number))
    seen = []
    for layer, level in LAYERS.items():
        one = surfaces[LITHIUM].share(f"film: {layer} {level}")
        quantities.append(
            Quantity(f"layer_{layer}", f"{level} of {layer} on lithium", one.value, one.sigma, "at.%")
        )
        claim = Claim.exceeds(f"{layer} lies on lithium", one.value, one.sigma)
        claims.append(claim)
        seen += [layer] if claim.holds else []
    return Finding(
        f"{len(surfaces)} surfaces were analysed; on lithium there is "
        f"{', '.join(seen) or 'none of the layers'}.",
        quantities,
        claims,
    )


def _surfaces(cells: Cells) -> dict[str, Surface]:
    """By the compound of the electrode, those that were fitted."""
    found = {}
    for cell in cells.values():
        for frames in cell.frames.values():
            if "component" not in frames.dims or not bool(np.asarray(frames["converged"])[0]):
                continue
            one = _surface(frames)
            found[one.host] = one
    return found


def _surface(frames: xr.Dataset) -> Surface:
    first = frames.isel(acquisition=0)
    names = [str(one) for one in np.asarray(frames["component"])]
    binding = {name: _estimate(first, "component_binding_ev", number) for number, name in enumerate(names)}
    # A line of another element than carbon is known by its claim on the element, whatever compound has it.
    present = np.asarray(frames["component_present"])[0]
    seen = [number for number, name in enumerate(names) if present[number] or " C 1s" not in name]
    species = {
        name: (
            _estimate(first, "component_percent", number),
            _referred(binding[name], frames, names, binding) if number in seen else UNDETERMINED,
        )
        for number, name in enumerate(names)
    }
    elements = [
        str(one).removeprefix("atomic_percent.")
        for one in frames
        if str(one).startswith("atomic_percent.") and "_sigma" not in str(one)
    ]
    percent = {element: _estimate(first, f"atomic_percent.{element}") for element in elements}
    host = next(name for name in names if name.startswith("substrate: ")).split(" ")[1]
    return Surface(host, frames, percent, species)


def _referred(
    line: Estimate, frames: xr.Dataset, names: list[str], binding: Mapping[str, Estimate]
) -> Estimate:
    """Binding energy without charge: as read where no electrons were shed on an earthed conductor, and as if
    adventitious carbon had its own elsewhere; undetermined where there is none.
    """
    if set(np.asarray(frames["analyser_flood_gun"]).astype(str)) == {"off"}:
        return Estimate(line.value, line.sigma_stat, math.hypot(line.sigma_sys, SCALE_SIGMA_EV))
    is_there = CARBON in names and bool(np.asarray(frames["component_present"])[0, names.index(CARBON)])
    if not is_there:
        return UNDETERMINED
    carbon = binding[CARBON]
    return Estimate(
        line.value - carbon.value + HYDROCARBON_EV,
        math.hypot(line.sigma_stat, carbon.sigma_stat),
        math.sqrt(line.sigma_sys**2 + carbon.sigma_sys**2 + HYDROCARBON_SIGMA_EV**2),
    )


def _estimate(row: xr.Dataset, name: str, number: int | None = None) -> Estimate:
    columns = (np.asarray(row[f"{name}{end}"], float) for end in ("", "_sigma_stat", "_sigma_sys"))
    return Estimate(*(float(one if number is None else one[number]) for one in columns))


def figure(cells: Cells, finding: Finding, published: Mapping[str, Published], title: str) -> Figure:
    """Composition of each surface, and the regions of lithium, in which the layers are."""
    surfaces = _surfaces(cells)
    lithium = surfaces.get(LITHIUM)
    regions = [] if lithium is None else _regions(lithium.data)
    shown = plt.figure(figsize=(10.0, 6.4), layout="constrained")
    grid = shown.add_gridspec(2, max(len(regions), 1), height_ratios=(1.2, 1.0))
    _composition(shown.add_subplot(grid[0, :]), surfaces)
    for number, region in enumerate(regions):
        assert lithium is not None
        _region(shown.add_subplot(grid[1, number]), lithium.data, region)
    shown.suptitle(title, fontsize=9)
    return shown


def _regions(data: xr.Dataset) -> list[str]:
    names = dict.fromkeys(np.asarray(data["analyser_region"]).astype(str))
    return [name for name in names if name != "survey"]


def _composition(axis: Axes, surfaces: Mapping[str, Surface]) -> None:
    elements = list(dict.fromkeys(element for one in surfaces.values() for element in one.percent))
    width = 0.8 / max(len(elements), 1)
    for number, element in enumerate(elements):
        places, values, sigmas = [], [], []
        for place, one in enumerate(surfaces.values()):
            if element in one.percent:
                places.append(place - 0.4 + (number + 0.5) * width)
                values.append(one.percent[element].value)
                sigmas.append(one.percent[element].sigma)
        colour = COLOURS[number % len(COLOURS)]
        hatch = "" if number < len(COLOURS) else "//"
        axis.bar(places, values, width, yerr=sigmas, color=colour, hatch=hatch, label=element, capsize=1.5)
    axis.set_xticks(range(len(surfaces)), list(surfaces))
    axis.set_ylabel("Composition (at.%)")
    axis.legend(ncols=6, fontsize=7, frameon=False)


def _region(axis: Axes, data: xr.Dataset, region: str) -> None:
    (number, *_) = np.flatnonzero(np.asarray(data["analyser_region"]).astype(str) == region)
    energy, counts = np.asarray(data["binding_ev"])[number], np.asarray(data["counts"])[number]
    axis.plot(energy, counts / 1000.0, color="#444444", lw=0.8)
    names = np.asarray(data["component"]).astype(str)
    present = np.asarray(data["component_present"])[0]
    binding = np.asarray(data["component_binding_ev"])[0]
    for name, is_there, at in zip(names, present, binding):
        if is_there and f" {region}" in name and np.isfinite(at):
            host = name.split(": ")[1].split(f" {region}")[0]
            axis.axvline(at, color=VERMILION, lw=0.8)
            axis.annotate(
                host, (at, 0.98), xycoords=("data", "axes fraction"), rotation=90, va="top", fontsize=6
            )
    axis.set(xlabel="Binding energy (eV)", ylabel="Counts (1000)", title=f"lithium, {region}")
    axis.invert_xaxis()
