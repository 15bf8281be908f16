"""What a simulated beamline consists of, read from one file."""

import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field, ValidationError, model_validator

from intercalate.contract import ABSOLUTE_MAX_PRESSURE_GPA, DIAMOND_ANVIL_CELL
from intercalate.cycler_server.server_environment import server_environment
from intercalate.problems import ProblemsError, problems_of
from intercalate_sims.cell import (
    LITHIUM_METAL,
    LITHIUM_SULFUR,
    REDUCED,
    REPLAY,
    cell_specs,
    is_replay,
    make_cell,
)
from intercalate_sims.cell.habits import Growth
from intercalate_sims.cell.hosts import SULFUR_HOSTS, Host, makes_a_difference
from intercalate_sims.cell.parameters import CELLS
from intercalate_sims.chamber_settings import TEM, TransmissionServer, VacuumServer
from intercalate_sims.pressure import Compression
from intercalate_sims.processes import Process
from intercalate_sims.settings_sections import HolderSettings, Port, Positive, Prefix, Section
from intercalate_sims.vessel import IN_VESSEL

STANDARDS = ("LaB6", "Si", "empty", "fluorescence", "power meter")
"""What a holder may hold besides a cell."""

VACUUM_STANDARDS = ("Au", "Ag", "Cu", "Co", "grid", "Faraday cup", "empty")
"""What a holder in the vacuum chamber may hold besides a cell."""

LABORATORY = "laboratory_xrd"
"""Name of the instrument to which cells are carried."""

RAMAN, OPTICAL = "raman", "optical"
"""Names of the spectrometer, and of the camera that looks through its objective."""


class SettingsError(ProblemsError):
    """The settings were refused."""


def _known_model(name: str) -> str:
    if is_replay(name):
        # The processes that play it work elsewhere.
        name = f"{REPLAY}{Path(name.removeprefix(REPLAY)).absolute()}"
        try:
            make_cell(name)
        except OSError as error:
            raise ValueError(f"the file to play cannot be read: {error}") from None
    elif name not in cell_specs():
        raise ValueError(f"known models are {', '.join(cell_specs())}, {REPLAY}FILE")
    return name


CellModelName = Annotated[str, AfterValidator(_known_model)]


class CyclerSettings(Section):
    """The cycler server."""

    prefix: Prefix
    port: Port
    channels: dict[str, str]


class BeamServer(Section):
    """The beam: what the ring gives, and the optics as they are found."""

    prefix: Prefix
    port: Port
    energy_kev: Annotated[float, Field(ge=20, le=30)]
    ring_current_ma: Positive
    flux_photons_s: Positive
    slit_h_mm: Annotated[float, Field(ge=0.02, le=5)]
    slit_v_mm: Annotated[float, Field(ge=0.02, le=5)]
    safety_shutter: Literal["open", "closed"]
    dumps: tuple[tuple[float, Positive], ...]


class DiffractometerServer(Section):
    """The diffractometer, with the geometry that its users are told."""

    prefix: Prefix
    port: Port
    clock_offset_s: float
    clock_drift_ppm: float
    distance_mm: Positive
    pixel_mm: Positive
    shape: tuple[Annotated[int, Field(ge=64)], Annotated[int, Field(ge=64)]]
    beam_mm: tuple[float, float]
    beamstop_radius_mm: Positive


class BeamEffectSettings(Section):
    """What the beam does to a cell, which no client is told; see `irradiation.BeamEffect`."""

    inactive_share: Annotated[float, Field(gt=0, le=1)]
    fluence_j_cm2: Positive


class LaboratoryServer(DiffractometerServer):
    """The diffractometer to which cells are carried, with its sealed tube.

    Attributes
    ----------
    energy_kev
        Of the tube's line: one line, the doublet is not modelled.
    holders
        Of its own sample changer; one of them takes the transfer vessel.
    """

    beam_prefix: Prefix
    energy_kev: Annotated[float, Field(ge=5, le=60)]
    tube_current_ma: Positive
    flux_photons_s: Positive
    slit_h_mm: Annotated[float, Field(ge=0.02, le=5)]
    slit_v_mm: Annotated[float, Field(ge=0.02, le=5)]
    holders: Annotated[dict[str, HolderSettings], Field(min_length=1)]

    @model_validator(mode="after")
    def _contents_exist(self) -> Self:
        known = (IN_VESSEL, *STANDARDS)
        for name, holder in self.holders.items():
            if holder.content not in known:
                raise ValueError(f"holder {name} holds {holder.content!r}; known are {', '.join(known)}")
        return self


class OpticalServer(Section):
    """The camera in white light behind the objective of the Raman spectrometer.

    Attributes
    ----------
    shape, pixel_um
        Of an image, as its users are told.
    power_mw
        Of the lamp at the sample, as found.
    particles_per_count
        Photons at the sample for each count of its monitor.
    """

    prefix: Prefix
    lamp_prefix: Prefix
    clock_offset_s: float
    clock_drift_ppm: float
    shape: tuple[Annotated[int, Field(ge=64)], Annotated[int, Field(ge=64)]]
    pixel_um: Annotated[float, Field(ge=0.05, le=10)]
    power_mw: Positive
    particles_per_count: Positive


class RamanServer(Section):
    """The Raman spectrometer at the beamline, served with the diffractometer whose stage it looks at.

    Attributes
    ----------
    beside_mm
        Where its spot is on the sample on paper, from where the X-ray beam is.
    first_nm
        Wavelength in the first pixel, on paper: how the grating is turned.
    optical
        The camera behind the same objective; None where there is none.
    """

    prefix: Prefix
    laser_prefix: Prefix
    clock_offset_s: float
    clock_drift_ppm: float
    wavelength_nm: Annotated[float, Field(ge=400, le=800)]
    power_mw: Positive
    spot_um: Annotated[float, Field(ge=0.5, le=50)]
    beside_mm: tuple[float, float]
    first_nm: Annotated[float, Field(ge=400, le=900)] = 538.0
    optical: OpticalServer | None = None


class VesselServer(Section):
    """The transfer vessel, and the glovebox as it is found."""

    prefix: Prefix
    port: Port
    transfer_s: Positive
    glovebox_o2_ppm: Annotated[float, Field(ge=0)]
    glovebox_h2o_ppm: Annotated[float, Field(ge=0)]


class PressureCellServer(Section):
    """The controller of the diamond-anvil cell, served with the diffractometer in whose beam it is.

    Attributes
    ----------
    compression
        How the sample gives way, which no client is told.
    """

    prefix: Prefix
    highest_gpa: Annotated[float, Field(gt=0, le=ABSOLUTE_MAX_PRESSURE_GPA)]
    rate_gpa_min: Positive
    compression: Compression = Compression.ANISOTROPIC


class SimulationSettings(Section):
    """All of it; without laboratory and vessel no cell is carried away, `pressure_cell`, `raman`, `vacuum`
    and `tem` are optional.

    Attributes
    ----------
    knob_users
        Who may turn the knobs by which something is made to go wrong, by the names that clients of Channel
        Access give; empty for everybody.
    """

    rate: Annotated[float, Field(gt=0, le=1e6)]
    dt_s: Annotated[float, Field(gt=0, le=10)]
    seed: Annotated[int, Field(ge=0)]
    repeater_port: Port
    knob_users: tuple[str, ...] = ()
    cells: Annotated[dict[str, CellModelName], Field(min_length=1)]
    cycler: CyclerSettings
    beam: BeamServer
    diffractometer: DiffractometerServer
    holders: Annotated[dict[str, HolderSettings], Field(min_length=1)]
    laboratory_xrd: LaboratoryServer | None = None
    transfer_vessel: VesselServer | None = None
    pressure_cell: PressureCellServer | None = None
    raman: RamanServer | None = None
    vacuum: VacuumServer | None = None
    tem: TransmissionServer | None = None
    hosts: dict[str, Host] = Field(default_factory=dict)
    """Cells that have another host in them than the real one. Nobody is told."""
    growth: dict[str, Growth] = Field(default_factory=dict)
    """Cells in which lithium grows otherwise by the current density than in the real one. Nobody is told."""
    beam_effect: BeamEffectSettings | None = None

    @model_validator(mode="after")
    def _contents_exist(self) -> Self:
        for name, cell in self.cycler.channels.items():
            if cell not in self.cells:
                raise ValueError(f"channel {name} holds {cell!r}; known are {', '.join(self.cells)}")
        known = (*self.cells, *STANDARDS, *(() if self.pressure_cell is None else (DIAMOND_ANVIL_CELL,)))
        for name, holder in self.holders.items():
            if holder.content not in known:
                raise ValueError(f"holder {name} holds {holder.content!r}; known are {', '.join(known)}")
        known = (*self.cells, *VACUUM_STANDARDS, IN_VESSEL)
        for name, holder in ({} if self.vacuum is None else self.vacuum.holders).items():
            if holder.content not in known:
                raise ValueError(
                    f"vacuum.holders.{name} holds {holder.content!r}; known are {', '.join(known)}"
                )
        for name in self.hosts:
            if self.cells.get(name) not in (*REDUCED, *LITHIUM_SULFUR):
                able = [cell for cell, model in self.cells.items() if model in (*REDUCED, *LITHIUM_SULFUR)]
                raise ValueError(f"hosts names {name!r}; cells with a choice are {', '.join(able)}")
        for name, host in self.hosts.items():
            fits = _hosts_of(self.cells[name])
            if host not in fits:
                raise ValueError(
                    f"hosts.{name} is {host!s}, of a material that {self.cells[name]} has not; "
                    f"it can be {', '.join(fits)}"
                )
        for name in self.growth:
            if self.cells.get(name) not in LITHIUM_METAL:
                able = [cell for cell, model in self.cells.items() if model in LITHIUM_METAL]
                known = ", ".join(able) or "not there"
                raise ValueError(f"growth names {name!r}; cells of two electrodes of lithium are {known}")
        return self

    @classmethod
    def from_file(cls, path: Path, *, rate: float | None = None, cell_model: str | None = None) -> Self:
        """Read the settings; `rate` and `cell_model`, of the first cell, go over the file.

        Raises
        ------
        SettingsError
            Naming everything that is wrong.
        """
        content = tomllib.loads(path.read_text())
        if rate is not None:
            content["rate"] = rate
        if cell_model is not None and content.get("cells"):
            content["cells"][next(iter(content["cells"]))] = cell_model
        try:
            return cls.model_validate(content)
        except ValidationError as error:
            raise SettingsError(str(path), problems_of(error, cls)) from None

    def metadata(self) -> dict[str, Any]:
        """What the start document of every run must say."""
        return {
            "simulated": True,
            "simulation": {
                "seed": self.seed,
                "rate": self.rate,
                "dt_s": self.dt_s,
                "cells": self.cells,
            },
        }

    def processes(self, folder: Path, site: str) -> list[Process]:
        """Every process, by its arguments; all but the repeater read the settings in the folder."""
        where = ["--folder", str(folder)]
        repeater = {"EPICS_CA_REPEATER_PORT": str(self.repeater_port)}
        found: list[tuple[str, list[str], dict[str, str]]]
        found = [("repeater", [], repeater), ("world", where, {})]
        for name, server, more in (
            ("cycler", self.cycler, ["--site", site]),
            ("beam", self.beam, []),
            ("diffractometer", self.diffractometer, []),
            (LABORATORY, self.laboratory_xrd, []),
            ("transfer_vessel", self.transfer_vessel, []),
            ("vacuum", self.vacuum, []),
            (TEM, self.tem, []),
        ):
            if server is not None:
                found.append((name, [*where, *more], server_environment(server.port)))
        return [
            Process(name, [name, *arguments], environment, folder / f"{name}.log")
            for name, arguments, environment in found
        ]


def _hosts_of(model: str) -> list[Host]:
    """That a cell of this model can have in it."""
    if model in LITHIUM_SULFUR:
        return [Host.STAGED, *SULFUR_HOSTS]
    return [one for one in Host if makes_a_difference(CELLS[model], one)]
