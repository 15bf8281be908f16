"""What only the simulator knows: by how much the true beamline differs from the one on paper."""

import json
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Self

import numpy as np

from intercalate_sims.cell.habits import Growth
from intercalate_sims.cell.hosts import Host
from intercalate_sims.irradiation import BeamEffect
from intercalate_sims.pressure import Compression, HiddenPressed

ENERGY_SIGMA = 5e-4
DISTANCE_SIGMA_MM = 1.0
BEAM_SIGMA_MM = 0.5
TILT_SIGMA_DEG = 0.3
HOLDER_SIGMA_MM = 0.15
DISPLACEMENT_SIGMA_UM = 60.0
THICKNESS_SIGMA_UM = 3.0
ACTIVE_MASS_SIGMA = 0.02
INCIDENCE_SIGMA_DEG = 0.02
"""Of the zero of the axis that tilts a sample, after its alignment."""
HEIGHT_SIGMA_UM = 8.0
"""Of the face of a sample in reflection, which is aligned by the half of the beam that it cuts off."""


@dataclass(frozen=True)
class HiddenCell:
    """How one cell differs from its description.

    Attributes
    ----------
    displacement_um
        Added to the distance of the middle of the separator from the plane of the calibrants, + downstream.
    positive_um, negative_um
        Added to the thickness of each electrode.
    active_mass
        True over nominal mass of both electrodes, as their area.
    host
        What host it really has in it.
    growth
        How lithium really grows in it.
    height_um
        Of the face that reflects, from the axis of the tilt, + into the sample.
    """

    displacement_um: float = 0.0
    positive_um: float = 0.0
    negative_um: float = 0.0
    active_mass: float = 1.0
    host: Host = Host.STAGED
    growth: Growth = Growth.REAL
    height_um: float = 0.0


@dataclass(frozen=True)
class Hidden:
    """How the beamline differs from its description; the values of `Hidden()` are those of a perfect one.

    Attributes
    ----------
    energy
        Relative: the true photon energy is `1 + energy` times that of the monochromator's scale.
    distance_mm, beam_mm
        Added to the nominal distance, and to the place where the beam meets the detector.
    rot1_rad, rot2_rad
        Tilts of the detector, as pyFAI counts them.
    holders_mm
        Where each holder of the changer is, from where it should be.
    beam_effect
        What the beam does to the cells; None where it does nothing.
    incidence_deg
        Added to the angle that the axis of the tilt shows.
    pressed
        What is between diamonds.
    """

    energy: float = 0.0
    distance_mm: float = 0.0
    beam_mm: tuple[float, float] = (0.0, 0.0)
    rot1_rad: float = 0.0
    rot2_rad: float = 0.0
    holders_mm: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    cells: Mapping[str, HiddenCell] = field(default_factory=dict)
    beam_effect: BeamEffect | None = None
    incidence_deg: float = 0.0
    pressed: HiddenPressed = field(default_factory=HiddenPressed)

    @classmethod
    def draw(
        cls,
        seed: int,
        holders: Iterable[str],
        cells: Iterable[str],
        *,
        hosts: Mapping[str, Host] | None = None,
        growth: Mapping[str, Growth] | None = None,
        beam_effect: BeamEffect | None = None,
        compression: Compression = Compression.ANISOTROPIC,
    ) -> Self:
        """Draw from the seed; what one holder or cell gets does not depend on which others there are.

        The graphite of `hosts`, the lithium of `growth`, the effect of the beam and what pressure does are as
        they say.
        """
        known, grows = hosts or {}, growth or {}
        beamline = _normal(seed, "beamline", 6)
        tilt = np.radians(TILT_SIGMA_DEG)
        return cls(
            energy=ENERGY_SIGMA * beamline[0],
            distance_mm=DISTANCE_SIGMA_MM * beamline[1],
            beam_mm=(BEAM_SIGMA_MM * beamline[2], BEAM_SIGMA_MM * beamline[3]),
            rot1_rad=float(tilt * beamline[4]),
            rot2_rad=float(tilt * beamline[5]),
            holders_mm={name: _holder(seed, name) for name in holders},
            cells={
                name: replace(
                    _cell(seed, name),
                    host=known.get(name, Host.STAGED),
                    growth=grows.get(name, Growth.REAL),
                )
                for name in cells
            },
            beam_effect=beam_effect,
            incidence_deg=INCIDENCE_SIGMA_DEG * _normal(seed, "goniometer", 1)[0],
            pressed=HiddenPressed.draw(seed, compression),
        )

    @classmethod
    def of_laboratory(cls, seed: int, holders: Iterable[str], cells: Iterable[str], instrument: str) -> Self:
        """Draw those of an instrument to which the cells are carried.

        The cells are the same; how they sit in the vessel, and the instrument, are not. A characteristic
        line has the energy that it has.
        """
        own = cls.draw(seed ^ zlib.crc32(instrument.encode()), holders, cells)
        same = cls.draw(seed, (), cells)
        carried = {
            name: replace(cell, displacement_um=own.cell(name).displacement_um)
            for name, cell in same.cells.items()
        }
        return replace(own, energy=0.0, cells=carried)

    def holder_mm(self, name: str) -> tuple[float, float]:
        """Offset of a holder."""
        return self.holders_mm.get(name, (0.0, 0.0))

    def cell(self, name: str) -> HiddenCell:
        """How this cell differs."""
        return self.cells.get(name, HiddenCell())

    def write(self, path: Path, poni: str) -> None:
        """Keep it, with the true geometry as a PONI file, beside the truth about the frames."""
        path.write_text(json.dumps({**asdict(self), "poni": poni}, indent=1))


def _normal(seed: int, what: str, count: int) -> list[float]:
    generator = np.random.default_rng([seed, zlib.crc32(what.encode()), 0xB1DE])
    return [float(value) for value in generator.standard_normal(count)]


def _holder(seed: int, name: str) -> tuple[float, float]:
    x, y = _normal(seed, f"holder {name}", 2)
    return HOLDER_SIGMA_MM * x, HOLDER_SIGMA_MM * y


def _cell(seed: int, name: str) -> HiddenCell:
    displacement, positive, negative, mass = _normal(seed, f"cell {name}", 4)
    return HiddenCell(
        displacement_um=DISPLACEMENT_SIGMA_UM * displacement,
        positive_um=THICKNESS_SIGMA_UM * positive,
        negative_um=THICKNESS_SIGMA_UM * negative,
        active_mass=1.0 + ACTIVE_MASS_SIGMA * mass,
        height_um=HEIGHT_SIGMA_UM * _normal(seed, f"height {name}", 1)[0],
    )
