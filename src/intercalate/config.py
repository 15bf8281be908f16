"""Configuration of a session: where the instruments are, what the site allows, where data go."""

import json
import math
import os
import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from intercalate.contract import CYCLER_NAMES, STATION_NAMES, OnLoss
from intercalate.problems import Problem, ProblemsError, problems_of
from intercalate.protocol import SiteLimits

EXAMPLES = Path(__file__).parent / "examples"
DEFAULT_CONFIG = EXAMPLES / "config" / "simulated.toml"
CONFIG_VARIABLE = "INTERCALATE_CONFIG"
LONGEST_SEARCH_S = 60
"""Wall seconds after which Channel Access asks again for a channel whose server was away, at the latest: the
least that it can be told, and a fifth of what it does by itself."""


class ConfigError(ProblemsError):
    """A configuration file was refused; `problems` lists everything wrong with it."""


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Storage(_Section):
    """Where everything is kept."""

    folder: Path


class ChannelAccess(_Section):
    """Which servers are asked for PVs."""

    servers: tuple[str, ...]
    repeater_port: Annotated[int, Field(ge=1024, le=65535)]
    connect_timeout_s: Annotated[float, Field(gt=0, le=600)]


Prefix = Annotated[str, Field(pattern=":$")]
Share = Annotated[float, Field(gt=0, lt=1)]
Positive = Annotated[float, Field(gt=0)]


class CyclerSection(_Section):
    """The cycler's channels and what becomes of steps composed by hand."""

    prefix: Prefix
    channels: Annotated[
        tuple[Annotated[str, Field(pattern="^[A-Za-z0-9_]+$")], ...],
        Field(min_length=1, max_length=len(CYCLER_NAMES)),
    ]
    on_abort: OnLoss
    on_client_lost: OnLoss
    lease_s: Annotated[float, Field(ge=2, le=3600)]

    def channel_prefix(self, channel: str) -> str:
        """Prefix of the PVs of one channel."""
        return f"{self.prefix}{channel}:"


class DiffractometerSection(_Section):
    """The area detector, and where it stands on paper."""

    prefix: Prefix
    frames_folder: str
    readout_s: Annotated[float, Field(ge=0)]
    saturation_counts: Positive
    distance_mm: Positive
    pixel_mm: Positive
    shape: tuple[Annotated[int, Field(gt=0)], Annotated[int, Field(gt=0)]]
    beam_mm: tuple[float, float]
    polarisation: Annotated[float, Field(ge=-1, le=1)] = 0.99
    """pyFAI's factor: almost 1 at a synchrotron, 0 for a tube."""


class CountersSection(_Section):
    """Monitors, and shares of the counts with all the beam there should be, below which there is less."""

    prefix: Prefix
    weak_below: Share
    none_below: Share

    @model_validator(mode="after")
    def _none_is_less(self) -> Self:
        if self.none_below >= self.weak_below:
            raise ValueError(f"none_below ({self.none_below:g}) must be less than weak_below")
        return self


class MonitorsSection(CountersSection):
    """Monitors of X-rays: counts per second with all the beam there should be, photons of a count of I0."""

    full_i0_per_s: Positive
    photons_per_count: Positive


class LaserMonitorsSection(CountersSection):
    """Monitors of a laser, and the energy at the sample that a count of I0 is."""

    joules_per_count: Positive


class CalibrationSection(_Section):
    """Where calibrations are kept, and for how long they are trusted."""

    folder: Path
    max_age_h: Positive


class BeamSection(_Section):
    """The beam, and what it is on paper."""

    prefix: Prefix
    energy_kev: Positive
    size_mm: tuple[Positive, Positive]


class PrefixSection(_Section):
    """A device that needs a prefix and nothing else."""

    prefix: Prefix


class ChangerPlace(_Section):
    """One place of the sample changer.

    Attributes
    ----------
    channel
        Of the cycler, whose cables end there.
    content
        What is there where it is no place for a cell.
    """

    x_mm: float
    y_mm: float
    channel: str | None = None
    content: Literal["LaB6", "Si", "empty", "fluorescence", "vessel"] | None = None

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if (self.channel is None) == (self.content is None):
            raise ValueError("give either channel, of the cell there, or content")
        return self


class ChangerSection(_Section):
    """The sample changer: a stage, and what is where on it."""

    prefix: Prefix
    speed_mm_per_s: Positive
    settling_s: Annotated[float, Field(ge=0)]
    places: dict[str, ChangerPlace]


class LaboratorySection(_Section):
    """An instrument to which cells are carried: like the one at the beamline, with all that is its own."""

    diffractometer: DiffractometerSection
    tube: PrefixSection
    monitors: MonitorsSection
    shutter: PrefixSection
    changer: ChangerSection
    calibration: CalibrationSection

    @property
    def detector(self) -> DiffractometerSection:
        """What takes the frames."""
        return self.diffractometer

    @model_validator(mode="after")
    def _takes_a_vessel(self) -> Self:
        wired = [name for name, place in self.changer.places.items() if place.channel is not None]
        if wired:
            raise ValueError(f"no cables of the cycler go to {', '.join(wired)}; give content")
        if [place.content for place in self.changer.places.values()].count("vessel") != 1:
            raise ValueError('one place of the changer takes the vessel; give it content = "vessel"')
        return self


class SpectrometerSection(_Section):
    """A Raman spectrometer on paper.

    Attributes
    ----------
    counts_per_electron, read_noise_electrons
        Of one read-out of a pixel.
    first_nm, nm_per_pixel, curvature_nm_per_pixel2
        Wavelength of a pixel, as a polynomial.
    width_nm
        Full width at half maximum of an infinitely sharp line.
    """

    prefix: Prefix
    frames_folder: str
    readout_s: Annotated[float, Field(ge=0)]
    saturation_counts: Positive
    pixels: Annotated[int, Field(ge=64)]
    counts_per_electron: Positive
    read_noise_electrons: Annotated[float, Field(ge=0)]
    first_nm: Positive
    nm_per_pixel: Positive
    curvature_nm_per_pixel2: float
    width_nm: Positive

    @property
    def shape(self) -> tuple[int, int]:
        """Of a frame, rows and columns."""
        return 1, self.pixels


class LaserSection(_Section):
    """A laser and its objective.

    Attributes
    ----------
    wavelength_nm, power_mw
        On paper, the power at the sample.
    spot_um
        Diameter of the spot, 1/e2.
    beside_mm
        Where the spot is on the sample, from where the sample changer means.
    """

    prefix: Prefix
    wavelength_nm: Positive
    power_mw: Positive
    spot_um: Positive
    beside_mm: tuple[float, float]

    @property
    def spot_mm2(self) -> float:
        """Area of the spot."""
        return math.pi / 4 * (self.spot_um / 1000.0) ** 2


class RamanSection(_Section):
    """A Raman spectrometer that looks at the sample changer of the beamline."""

    spectrometer: SpectrometerSection
    laser: LaserSection
    monitors: LaserMonitorsSection
    shutter: PrefixSection
    calibration: CalibrationSection

    @property
    def detector(self) -> SpectrometerSection:
        """What takes the frames."""
        return self.spectrometer


class CatalogSection(_Section):
    """The Tiled server of this machine."""

    profile: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]+$")]
    port: Annotated[int, Field(ge=1024, le=65535)]


class MetadataSection(_Section):
    """Files that every run's start document carries."""

    files: tuple[Path, ...]


class Config(_Section):
    """One configuration file; every key is required, and no other is known.

    Where no cell is ever carried away, `transfer_vessel` and `laboratory_xrd` are left out; where there is no
    spectrometer, `raman`.
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
    metadata: MetadataSection
    transfer_vessel: PrefixSection | None = None
    laboratory_xrd: LaboratorySection | None = None
    raman: RamanSection | None = None

    @model_validator(mode="after")
    def _channels_are_known(self) -> Self:
        for name, place in self.changer.places.items():
            if place.channel is not None and place.channel not in self.cycler.channels:
                known = ", ".join(self.cycler.channels)
                raise ValueError(
                    f"changer.places.{name} names channel {place.channel!r}; [cycler] channels are {known}"
                )
        return self

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
            content: Any = tomllib.loads(path.read_text())
        except (OSError, tomllib.TOMLDecodeError) as error:
            problem = Problem("", str(path), str(error), "name a TOML file; `intercalate init` writes one")
            raise ConfigError(str(path), [problem]) from None
        try:
            config = cls.model_validate(content)
        except ValidationError as error:
            raise ConfigError(str(path), problems_of(error, cls)) from None
        except ProblemsError as error:
            raise ConfigError(str(path), [p.under("site") for p in error.problems]) from None
        base = Path.cwd() if path == DEFAULT_CONFIG else path.resolve().parent
        storage = Storage(folder=folder or base / config.storage.folder)
        return config.model_copy(update={"storage": storage})

    @property
    def instruments(self) -> tuple[str, ...]:
        """Names of the instruments that there are."""
        return tuple(self._sections())

    def _sections(self) -> "dict[str, Config | LaboratorySection | RamanSection]":
        optional = {"laboratory_xrd": self.laboratory_xrd, "raman": self.raman}
        found = {name: section for name, section in optional.items() if section is not None}
        return {STATION_NAMES[0]: self, **found}

    @property
    def detector(self) -> DiffractometerSection:
        """What takes the frames of the diffractometer at the beamline."""
        return self.diffractometer

    def changer_of(self, name: str) -> ChangerSection:
        """The sample changer at which an instrument looks; raises as `instrument`."""
        section = self.instrument(name)
        return section.changer if isinstance(section, LaboratorySection) else self.changer

    def instrument(self, name: str) -> "Config | LaboratorySection | RamanSection":
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
