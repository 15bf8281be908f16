"""What material a cell has in it, and with which film: the real one, or one without an effect."""

from dataclasses import replace
from enum import StrEnum

from intercalate_sims.cell.ocv import TanhPotential
from intercalate_sims.cell.parameters import CELLS, CellParameters, PorousElectrode


class Host(StrEnum):
    """How a host takes up lithium; the probes look up lattices by it."""

    STAGED = "staged"
    """In stages, with a plateau for each change of them: real graphite."""
    SOLID_SOLUTION = "solid_solution"
    """In one phase from empty to full, at a voltage that slopes all the way."""
    LATE = "late"
    """At the voltage of real graphite; its layers stay as they are until it is nearly full."""
    REVERSED = "reversed"
    """At the voltage of real graphite, with the lattice that real graphite has when it is as empty as
    this one is full."""
    EVEN = "even"
    """Real graphite, all of whose particles are alike, in all places of the cell."""
    STATIC = "static"
    """LFP of two phases that keep their compositions, at any rate; real graphite."""
    SLOW_SOLUTION = "slow_solution"
    """LFP whose two phases change their compositions the less, the higher the rate; real graphite."""
    STEADY = "steady"
    """Lithium-rich oxide whose lattice changes evenly, and in one direction, over the whole charge."""
    MIRRORED = "mirrored"
    """Lithium-rich oxide whose lattice changes in the opposite direction from that of the fresh one."""
    PASSIVATED = "passivated"
    """Graphite with the film that it has in EC-DEC, whatever the solvent."""
    ISOLATED = "isolated"
    """Graphite with the film that it has in THF, whose particles lose contact, whatever the solvent."""
    SPECTATOR = "spectator"
    """An oxide at the voltage of the real one, whose metal keeps its oxidation state as assembled."""
    STUCK = "stuck"
    """An oxide at the voltage of the real one, half of whose metal stays as oxidised as it has been."""
    UNHINDERED = "unhindered"
    """LFP in whose coating neither ions nor electrons lose anything on their way."""
    FROM_COLLECTOR = "from_collector"
    """LFP in whose coating ions lose nothing, and electrons much: it reacts at the collector first."""
    QUASI_SOLID = "quasi_solid"
    """Sulfur at the voltage of the real one, of which only S8 and Li2S are ever there: solid to solid."""
    SHORT_FIRST = "short_first"
    """Sulfur at the voltage of the real one, whose short polysulfides are there before the long ones."""

    @property
    def remembers(self) -> bool:
        """Whether what a probe finds depends on how empty it has been."""
        return self is Host.STUCK


FILMS = {Host.PASSIVATED: "graphite-ecdec-li", Host.ISOLATED: "graphite-thf-li"}
"""Cells that have the films of these, and what they do to the particles."""

EASIER = 20.0
"""By which ions, or electrons, go the more easily where they are not to be what limits."""
POORLY_CONDUCTING_S_M = 0.02
"""Of a coating without enough carbon; an illustration."""

SLOPING = TanhPotential(constant_v=0.30, slope_v=-0.28, exponentials=((1.2, -60.0), (0.15, -8.0)), tanhs=())
"""As empty and as full as graphite at the same voltages, without plateaus between; no real material."""


SULFUR = "S"
"""Material of the cathode of the cells that are not of porous electrodes."""
SULFUR_HOSTS = (Host.QUASI_SOLID, Host.SHORT_FIRST)

_MADE_FOR = {
    Host.SOLID_SOLUTION: "graphite",
    Host.LATE: "graphite",
    Host.REVERSED: "graphite",
    Host.PASSIVATED: "graphite",
    Host.ISOLATED: "graphite",
    Host.STATIC: "LFP",
    Host.SLOW_SOLUTION: "LFP",
    Host.STEADY: "Li-rich NMC",
    Host.MIRRORED: "Li-rich NMC",
    Host.SPECTATOR: "LMNO",
    Host.STUCK: "LMNO",
    Host.UNHINDERED: "LFP",
    Host.FROM_COLLECTOR: "LFP",
    Host.QUASI_SOLID: SULFUR,
    Host.SHORT_FIRST: SULFUR,
}
"""What the names of their materials begin with; the others are of any material."""


def makes_a_difference(parameters: CellParameters, host: Host) -> bool:
    """Whether a cell has an electrode of the material that a host stands in for."""
    electrodes = (parameters.positive, parameters.negative)
    porous = [one.material for one in electrodes if isinstance(one, PorousElectrode)]
    return any(material.startswith(_MADE_FOR.get(host, "")) for material in porous)


def with_host(parameters: CellParameters, host: Host) -> CellParameters:
    """The same cell with another material in it, or with other ways to it."""
    if host is Host.EVEN:
        return replace(parameters, heterogeneity=0.0)
    if host in (Host.UNHINDERED, Host.FROM_COLLECTOR):
        return _with_ways(parameters, host)
    negative = parameters.negative
    if isinstance(negative, PorousElectrode):
        negative = _of(negative, host)
    return replace(parameters, positive=_of(parameters.positive, host), negative=negative)


def _with_ways(parameters: CellParameters, host: Host) -> CellParameters:
    """The same cell, through whose coating ions go easily, and electrons do or do not."""
    electrolyte = parameters.electrolyte
    ions = {
        name: tuple(EASIER * term for term in getattr(electrolyte, name))
        for name in ("conductivity", "diffusivity")
    }
    positive = parameters.positive
    conductivity_s_m = (
        POORLY_CONDUCTING_S_M if host is Host.FROM_COLLECTOR else EASIER * positive.conductivity_s_m
    )
    return replace(
        parameters,
        electrolyte=replace(electrolyte, **ions),
        positive=replace(positive, conductivity_s_m=conductivity_s_m),
    )


def _of(electrode: PorousElectrode, host: Host) -> PorousElectrode:
    if electrode.material != "graphite":
        return electrode
    potential = SLOPING if host is Host.SOLID_SOLUTION else electrode.potential
    side_reactions = electrode.side_reactions
    if host in FILMS:
        side_reactions = CELLS[FILMS[host]].positive.side_reactions
    return replace(electrode, potential=potential, side_reactions=side_reactions)
