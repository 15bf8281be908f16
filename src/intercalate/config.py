"""Configuration of a session: where the instruments are, what the site allows, where data go."""

import json
import os
import tomllib
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import Field, ValidationError, model_validator

from intercalate.contract import CYCLER_NAMES, DIAMOND_ANVIL_CELL, STATION_NAMES, OnLoss
from intercalate.dose import ABSORBED, DoseScale, energy_fluence_j_cm2
from intercalate.instrument_sections import (
    BeamSection,
    CalibrationSection,
    ChangerSection,
    DiffractometerSection,
    EbsdSection,
    EdsSection,
    EelsSection,
    LaboratorySection,
    MonitorsSection,
    OpticalSection,
    Prefix,
    PrefixSection,
    PressureCellSection,
    RamanSection,
    Section,
    SemSection,
    TemSection,
    VacuumSection,
    XpsSection,
)
from intercalate.problems import Problem, ProblemsError, problems_of
from intercalate.protocol import SiteLimits
from intercalate.queue_section import QueueSection
from intercalate.toml_lines import placed

EXAMPLES = Path(__file__).parent / "examples"
DEFAULT_CONFIG = EXAMPLES / "config" / "simulated.toml"
STARTUP_FOLDER = Path("profiles/profile_intercalate/startup")
CONFIG_VARIABLE = "INTERCALATE_CONFIG"
IN_VACUUM = ("xps", "sem", "eds", "ebsd")
"""Instruments that share the chamber and its stage."""
ON_COLUMN = {"eds": "sem", "ebsd": "sem", "eels": "tem"}
"""Instruments that share an electron column, by the microscope whose it is."""
InstrumentSection = (
    LaboratorySection
    | RamanSection
    | OpticalSection
    | XpsSection
    | SemSection
    | EdsSection
    | EbsdSection
    | TemSection
    | EelsSection
)
"""Of an instrument that has sections of its own."""
LONGEST_SEARCH_S = 60
"""Wall seconds after which Channel Access asks again for a channel whose server was away, at the latest: the
least that it can be told, and a fifth of what it does by itself."""


class ConfigError(ProblemsError):
    """A configuration file was refused; `problems` lists everything wrong with it."""


class Storage(Section):
    """Where everything is kept."""

    folder: Path


class ChannelAccess(Section):
    """Which servers are asked for PVs."""

    servers: tuple[str, ...]
    repeater_port: Annotated[int, Field(ge=1024, le=65535)]
    connect_timeout_s: Annotated[float, Field(gt=0, le=600)]


class CyclerServerSection(Section):
    """The cycler server of this machine, where it is not part of the simulated beamline.

    Attributes
    ----------
    port
        On which it serves its PVs, to this machine alone.
    eclab
        Potentiostats behind EPICS-ECLab: the prefixes of their channels, as in `ECLAB_01:C0:`, in the order
        of the cycler's channels. Empty where these are simulated.
    temperature_pvs
        Of the surface of the cell of each of them, degC: without a thermometer nothing is cycled.
    sampling_s
        Between two readings.
    """

    port: Annotated[int, Field(ge=1024, le=65535)]
    eclab: tuple[Prefix, ...]
    temperature_pvs: tuple[Annotated[str, Field(min_length=1)], ...]
    sampling_s: Annotated[float, Field(ge=0.2, le=60)]


class CyclerSection(Section):
    """The cycler's channels and what becomes of steps composed by hand."""

    prefix: Prefix
    channels: Annotated[
        tuple[Annotated[str, Field(pattern="^[A-Za-z0-9_]+$")], ...],
        Field(min_length=1, max_length=len(CYCLER_NAMES)),
    ]
    on_abort: OnLoss
    on_client_lost: OnLoss
    lease_s: Annotated[float, Field(ge=2, le=3600)]
    server: CyclerServerSection

    @model_validator(mode="after")
    def _every_potentiostat_has_a_channel_and_a_thermometer(self) -> Self:
        served, thermometers = len(self.server.eclab), len(self.server.temperature_pvs)
        if served > len(self.channels):
            raise ValueError(f"server.eclab has {served} potentiostats for {len(self.channels)} channels")
        if thermometers != served:
            raise ValueError(
                f"server.temperature_pvs has {thermometers} thermometers for {served} potentiostats; each "
                "cell needs one, or nothing is cycled"
            )
        return self

    def channel_prefix(self, channel: str) -> str:
        """Prefix of the PVs of one channel."""
        return f"{self.prefix}{channel}:"


class CatalogSection(Section):
    """The Tiled server of this machine.

    Attributes
    ----------
    database
        URI of a PostgreSQL database for catalog and tables; empty for SQLite files in the storage folder.
    """

    profile: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]+$")]
    port: Annotated[int, Field(ge=1024, le=65535)]
    database: Annotated[str, Field(pattern=r"^(postgresql://\S+)?$")]


class SessionSection(Section):
    """What belongs to a session at the instrument.

    Attributes
    ----------
    brings_up
        What it starts where it does not run: `simulators`, `catalog`.
    plans_folder
        Of the user's own plans, relative to the configuration file.
    """

    brings_up: tuple[Literal["simulators", "catalog"], ...]
    plans_folder: Path


class MetadataSection(Section):
    """Files that every run's start document carries."""

    files: tuple[Path, ...]


class Config(Section):
    """One configuration file; every key is required, and no other is known.

    Where nothing tilts a sample, `goniometer` is left out; without a diamond-anvil cell, `pressure_cell`;
    where no cell is ever carried away, `transfer_vessel` and `laboratory_xrd`; without a spectrometer,
    `raman`, and without a camera on it, `optical`; without microscopes, `vacuum` and what is in it: `xps`,
    `sem`, `eds`, `ebsd`; and `tem` with `eels`.
    """

    storage: Storage
    channel_access: ChannelAccess
    site: SiteLimits
    cycler: CyclerSection
    beam: BeamSection
    monitors: MonitorsSection
    diffractometer: DiffractometerSection
    shutter: PrefixSection
    changer: ChangerSection
    calibration: CalibrationSection
    catalog: CatalogSection
    session: SessionSection
    queue: QueueSection
    metadata: MetadataSection
    goniometer: PrefixSection | None = None
    pressure_cell: PressureCellSection | None = None
    transfer_vessel: PrefixSection | None = None
    laboratory_xrd: LaboratorySection | None = None
    raman: RamanSection | None = None
    optical: OpticalSection | None = None
    vacuum: VacuumSection | None = None
    xps: XpsSection | None = None
    sem: SemSection | None = None
    eds: EdsSection | None = None
    ebsd: EbsdSection | None = None
    tem: TemSection | None = None
    eels: EelsSection | None = None

    scale: ClassVar[DoseScale] = ABSORBED

    @model_validator(mode="after")
    def _channels_are_known(self) -> Self:
        changers = {"changer": self.changer}
        changers |= {} if self.vacuum is None else {"vacuum.changer": self.vacuum.changer}
        changers |= {} if self.tem is None else {"tem.changer": self.tem.changer}
        for where, changer in changers.items():
            for name, place in changer.places.items():
                if place.channel is not None and place.channel not in self.cycler.channels:
                    known = ", ".join(self.cycler.channels)
                    named = f"{where}.places.{name} names channel {place.channel!r}"
                    raise ValueError(f"{named}; [cycler] channels are {known}")
        return self

    @model_validator(mode="after")
    def _presses_somewhere(self) -> Self:
        places = [name for name, one in self.changer.places.items() if one.content == DIAMOND_ANVIL_CELL]
        if places and self.pressure_cell is None:
            raise ValueError(f"a diamond-anvil cell is at {places[0]}; add [pressure_cell]")
        return self

    @model_validator(mode="after")
    def _has_a_vacuum(self) -> Self:
        for name in IN_VACUUM:
            if getattr(self, name) is not None and self.vacuum is None:
                raise ValueError(
                    f"[{name}] is in a vacuum chamber; add [vacuum.chamber] and [vacuum.changer]"
                )
        if self.optical is not None and self.raman is None:
            raise ValueError("[optical] looks through the objective of a Raman spectrometer; add [raman]")
        for name, microscope in ON_COLUMN.items():
            if getattr(self, name) is not None and getattr(self, microscope) is None:
                raise ValueError(f"[{name}] is on the column of an electron microscope; add [{microscope}]")
        return self

    @model_validator(mode="before")
    @classmethod
    def _share_the_column(cls, content: Any) -> Any:
        """A column is described once, with its microscope."""
        if not isinstance(content, dict):
            return content
        shared = {}
        for name, microscope in ON_COLUMN.items():
            one, whose = content.get(name), content.get(microscope)
            if isinstance(one, dict) and isinstance(whose, dict) and "column" in whose:
                shared[name] = {"column": whose["column"], **one}
        return content | shared

    @classmethod
    def from_file(cls, path: str | Path, *, folder: Path | None = None) -> Self:
        """Read a configuration file.

        Parameters
        ----------
        path
            TOML file.
        folder
            Storage folder in place of the one in the file.

        Raises
        ------
        ConfigError
            Naming everything that is wrong with the file.
        """
        path = Path(path)
        try:
            content: Any = tomllib.loads(text := path.read_text())
        except (OSError, tomllib.TOMLDecodeError) as error:
            fix = "name a TOML file; `intercalate init` writes one"
            if not isinstance(error, OSError):
                fix = "correct it there: it is no TOML"
            raise ConfigError(str(path), [Problem("", str(path), str(error), fix)]) from None
        try:
            config = cls.model_validate(content)
        except ValidationError as error:
            raise ConfigError(str(path), placed(problems_of(error, cls), text)) from None
        except ProblemsError as error:
            raise ConfigError(str(path), placed([p.under("site") for p in error.problems], text)) from None
        base = Path.cwd() if path == DEFAULT_CONFIG else path.resolve().parent
        storage = Storage(folder=folder or base / config.storage.folder)
        session = config.session.model_copy(update={"plans_folder": base / config.session.plans_folder})
        own = base / config.queue.startup_folder
        startup = own if own.is_dir() else EXAMPLES / STARTUP_FOLDER
        queue = config.queue.model_copy(update={"startup_folder": startup})
        return config.model_copy(update={"storage": storage, "session": session, "queue": queue})

    @property
    def plans_folder(self) -> Path:
        """Where the user's own plans are."""
        return self.session.plans_folder

    @property
    def instruments(self) -> tuple[str, ...]:
        """Names of the instruments that there are."""
        return tuple(self._sections())

    def _sections(self) -> "dict[str, Config | InstrumentSection]":
        optional = {name: getattr(self, name) for name in STATION_NAMES[1:]}
        found = {name: section for name, section in optional.items() if section is not None}
        return {STATION_NAMES[0]: self, **found}

    @property
    def particle_kev(self) -> float:
        """Energy of a photon at the beamline."""
        return self.beam.energy_kev

    def fluence_j_cm2(self, exposure_s: float) -> float:
        """Energy per area of an exposure at the beamline, on paper."""
        photons = self.monitors.full_i0_per_s * self.monitors.photons_per_count * exposure_s
        width_mm, height_mm = self.beam.size_mm
        return energy_fluence_j_cm2(photons, self.beam.energy_kev, width_mm * height_mm)

    @property
    def detector(self) -> DiffractometerSection:
        """What takes the frames of the diffractometer at the beamline."""
        return self.diffractometer

    def changer_of(self, name: str) -> ChangerSection:
        """The sample changer at which an instrument looks; raises as `instrument`."""
        section = self.instrument(name)
        if name in IN_VACUUM:
            assert self.vacuum is not None
            return self.vacuum.changer
        if ON_COLUMN.get(name, name) == "tem":
            assert self.tem is not None
            return self.tem.changer
        return section.changer if isinstance(section, LaboratorySection) else self.changer

    def instrument(self, name: str) -> "Config | InstrumentSection":
        """What is said of an instrument: the diffractometer at the beamline has its sections at the top.

        Raises
        ------
        KeyError
            If there is none of this name.
        """
        sections = self._sections()
        if name not in sections:
            raise KeyError(f"there is no instrument {name!r}; there are {', '.join(sections)}")
        return sections[name]

    def stored(self, path: str | Path) -> Path:
        """Path relative to the storage folder, made absolute."""
        return (self.storage.folder / path).absolute()

    @property
    def journals_folder(self) -> Path:
        """Where the documents of runs are kept first."""
        return self.stored("journals")

    @property
    def catalog_folder(self) -> Path:
        """Where the catalog of this machine is served from."""
        return self.stored("catalog")

    def channel_access_environment(self) -> dict[str, str]:
        """Environment variables that point Channel Access to the configured servers."""
        servers = self.channel_access.servers
        own = {
            "EPICS_CA_MAX_ARRAY_BYTES": "16000000",
            "EPICS_CA_MAX_SEARCH_PERIOD": str(LONGEST_SEARCH_S),
            "EPICS_CA_REPEATER_PORT": str(self.channel_access.repeater_port),
        }
        if not servers:
            return own
        return own | {"EPICS_CA_ADDR_LIST": " ".join(servers), "EPICS_CA_AUTO_ADDR_LIST": "NO"}

    def run_metadata(self) -> dict[str, Any]:
        """Content of the metadata files, merged.

        Raises
        ------
        ConfigError
            If one of them is not there or no JSON object.
        """
        merged: dict[str, Any] = {}
        for name in self.metadata.files:
            path = self.stored(name)
            try:
                merged.update(json.loads(path.read_text()))
            except (OSError, ValueError) as error:
                problem = Problem(
                    "metadata.files", str(path), str(error), "start the simulators first, or mend the list"
                )
                raise ConfigError("configuration", [problem]) from None
        return merged


def find_config(given: str | Path | None) -> Path:
    """The configuration file to use: as given, by environment variable, in this folder, or shipped."""
    if given is not None:
        return Path(given)
    if CONFIG_VARIABLE in os.environ:
        return Path(os.environ[CONFIG_VARIABLE])
    here = Path("simulated.toml")
    return here if here.exists() else DEFAULT_CONFIG
