"""One exposure, as an instrument's probe is told of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from intercalate_sims.cell.interface import ProbeState
from intercalate_sims.changer import InBeam
from intercalate_sims.irradiation import Inactive, seen_states
from intercalate_sims.milling import Cut


@dataclass(frozen=True)
class Shot:
    """One exposure, as the world tells it.

    Attributes
    ----------
    start_s
        By the instrument's clock; keys the noise.
    photons_s, full_photons_s
        Mean incident photons, and what the full ring would have given through open shutters.
    energy_kev
        Of a photon, by the scale of the source.
    size_mm
        Horizontal and vertical size of the beam.
    focus_um
        Of the beam, into the sample.
    elapsed_s
        Cell time since the world began.
    settings
        What a client said of the exposure, and what is around the sample, where the instrument has such.
    states
        Of the cell in the beam, with the shares of the photons that met each.
    inactive
        Particles of the spot in the beam that do not take part any more.
    burnt_j_cm2
        Light that was too intense on the spot before, as energy per area.
    face
        Electrode of a cell that was taken apart and came in the transfer vessel; empty for any other.
    air_mbar_s
        Oxygen and water that it has met since it was loaded, pressure times time.
    marker_gpa
        Pressure between diamonds, where something is.
    milled, sputtered
        What focused and wide beams of ions have done to what is in the beam, wherever.
    """

    start_s: float
    exposure_s: float
    photons_s: float
    full_photons_s: float
    energy_kev: float
    size_mm: tuple[float, float]
    in_beam: InBeam
    states: Sequence[tuple[float, ProbeState]] = ()
    inactive: Sequence[Inactive] = ()
    burnt_j_cm2: float = 0.0
    focus_um: float = 0.0
    elapsed_s: float = 0.0
    settings: Mapping[str, Any] = field(default_factory=dict)
    face: str = ""
    air_mbar_s: float = 0.0
    marker_gpa: float = 0.0
    milled: Sequence[Cut] = ()
    sputtered: Sequence[Cut] = ()

    @property
    def seen(self) -> list[tuple[float, ProbeState]]:
        """States that the beam meets, with their shares."""
        return seen_states(self.states, self.inactive)

    @property
    def photons(self) -> float:
        """Incident in the whole exposure."""
        return self.photons_s * self.exposure_s
