"""Settings of the vacuum chambers and of the instruments in them."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from intercalate_sims.milling import ARGON_KV, ARGON_NA, ION_KV, ION_NA
from intercalate_sims.probes.liquid_cell import LiquidCellLaw
from intercalate_sims.probes.nanobattery import REFERENCE_FILMS, NanobatteryLaw
from intercalate_sims.probes.sem_face import Heating
from intercalate_sims.probes.sem_milled import Interior
from intercalate_sims.probes.sem_sample import SectionLaw
from intercalate_sims.probes.sem_thinning import Thinning
from intercalate_sims.probes.xps_faces import Face
from intercalate_sims.settings_sections import HolderSettings, Port, Positive, Prefix, Section
from intercalate_sims.sources import (
    FIELD_OF_VIEW_UM,
    GUN_KV,
    GUN_NA,
    ILLUMINATED_UM,
    TRANSMISSION_KV,
    TRANSMISSION_NA,
)

TRANSMISSION_CONTENTS = ("gold", "deposit", "nanobattery", "liquid cell", "empty", *REFERENCE_FILMS)
"""What a holder in the transmission microscope may hold."""

XPS = "xps"
"""Name of the photoelectron spectrometer."""

SEM, EDS, EBSD = "sem", "eds", "ebsd"
"""Names of the electron microscope, whose column all use, and of those of X-rays and patterns on it."""

FIB, ARGON = "fib", "argon"
"""Names of the ion column beside it, and of the sputter gun beside the photoelectron spectrometer."""

TEM, EELS = "tem", "eels"
"""Names of the transmission electron microscope, and of the spectrometer of losses on its column."""


class FaceHolder(HolderSettings):
    """A holder in the vacuum chamber, and which electrode a cell in it turns to the instruments."""

    face: Literal["positive", "negative", "section"] = "negative"


class SputterGunServer(Section):
    """The gun of argon ions, as it is found."""

    prefix: Prefix
    voltage_kv: Annotated[float, Field(ge=ARGON_KV[0], le=ARGON_KV[1])]
    current_na: Annotated[float, Field(ge=ARGON_NA[0], le=ARGON_NA[1])]


class XpsServer(Section):
    """The photoelectron spectrometer, with what its users are told.

    Attributes
    ----------
    faces
        Cells that show another face than their model has. Nobody is told.
    sputter_gun
        None where nothing can be sputtered.
    """

    prefix: Prefix
    source_prefix: Prefix
    clock_offset_s: float
    clock_drift_ppm: float
    energy_kev: Positive
    power_w: Positive
    photons_per_s_w: Positive
    photons_per_count: Positive
    spot_um: Positive
    points: Annotated[int, Field(ge=64)]
    faces: dict[str, Face] = Field(default_factory=dict)
    sputter_gun: SputterGunServer | None = None


class IonColumnServer(Section):
    """The ion column beside that of the microscope, as it is found.

    Attributes
    ----------
    interior
        What a needle is inside. Nobody is told.
    """

    prefix: Prefix
    voltage_kv: Annotated[float, Field(ge=ION_KV[0], le=ION_KV[1])]
    current_na: Annotated[float, Field(ge=ION_NA[0], le=ION_NA[1])]
    interior: Interior = Interior.REAL


class SemServer(Section):
    """The electron microscope, with its column as it is found.

    Attributes
    ----------
    law, thinning
        How the layers of sections change, and how a film of lithium on a garnet does. Nobody is told.
    ion_column
        None where nothing can be milled.
    """

    prefix: Prefix
    column_prefix: Prefix
    clock_offset_s: float
    clock_drift_ppm: float
    voltage_kv: Annotated[float, Field(ge=GUN_KV[0], le=GUN_KV[1])]
    current_na: Annotated[float, Field(gt=GUN_NA[0], le=GUN_NA[1])]
    field_of_view_um: Annotated[float, Field(ge=FIELD_OF_VIEW_UM[0], le=FIELD_OF_VIEW_UM[1])]
    electrons_per_count: Positive
    shape: tuple[Annotated[int, Field(ge=64)], Annotated[int, Field(ge=64)]]
    law: SectionLaw = SectionLaw.REAL
    thinning: Thinning = Thinning.REAL
    ion_column: IonColumnServer | None = None


class EdsServer(Section):
    """The X-ray detector on the column; a frame has `points`, rows and columns of places."""

    prefix: Prefix
    clock_offset_s: float
    clock_drift_ppm: float
    detector: Literal["standard", "windowless"]
    points: tuple[Annotated[int, Field(ge=1)], Annotated[int, Field(ge=1)]] = (1, 1)


class EbsdServer(Section):
    """The screen for diffraction patterns on the column; a map has `points`, rows and columns."""

    prefix: Prefix
    clock_offset_s: float
    clock_drift_ppm: float
    points: tuple[Annotated[int, Field(ge=16)], Annotated[int, Field(ge=16)]]


class VacuumServer(Section):
    """The vacuum chamber with its stage, and the instruments in it.

    Attributes
    ----------
    heating
        What heat does to lithium in it. Nobody is told.
    """

    prefix: Prefix
    port: Port
    holders: Annotated[dict[str, FaceHolder], Field(min_length=1)]
    xps: XpsServer | None = None
    sem: SemServer | None = None
    eds: EdsServer | None = None
    ebsd: EbsdServer | None = None
    heating: Heating = Heating.REAL

    @model_validator(mode="after")
    def _has_a_column(self) -> Self:
        for name in (EDS, EBSD):
            if getattr(self, name) is not None and self.sem is None:
                raise ValueError(f"vacuum.{name} is on the column of vacuum.sem; add that section")
        return self


class EelsServer(Section):
    """The spectrometer of electron losses; a scan has `points`, rows and columns."""

    prefix: Prefix
    clock_offset_s: float
    clock_drift_ppm: float
    points: tuple[Annotated[int, Field(ge=1)], Annotated[int, Field(ge=1)]]


class TransmissionServer(Section):
    """The transmission electron microscope with chamber, stage and column of its own.

    Attributes
    ----------
    chamber_prefix
        Of the chamber and its stage.
    nanobattery, liquid_cell
        What lies on the cathode of the one, and what grows in the other. Nobody is told.
    """

    prefix: Prefix
    chamber_prefix: Prefix
    column_prefix: Prefix
    port: Port
    clock_offset_s: float
    clock_drift_ppm: float
    voltage_kv: Annotated[float, Field(ge=TRANSMISSION_KV[0], le=TRANSMISSION_KV[1])]
    current_na: Annotated[float, Field(gt=TRANSMISSION_NA[0], le=TRANSMISSION_NA[1])]
    field_of_view_um: Annotated[float, Field(ge=ILLUMINATED_UM[0], le=ILLUMINATED_UM[1])]
    electrons_per_count: Positive
    holders: Annotated[dict[str, HolderSettings], Field(min_length=1)]
    eels: EelsServer | None = None
    nanobattery: NanobatteryLaw = NanobatteryLaw.REAL
    liquid_cell: LiquidCellLaw = LiquidCellLaw.REAL

    @model_validator(mode="after")
    def _contents_exist(self) -> Self:
        for name, holder in self.holders.items():
            if holder.content not in TRANSMISSION_CONTENTS:
                known = ", ".join(TRANSMISSION_CONTENTS)
                raise ValueError(f"holder {name} holds {holder.content!r}; known are {known}")
        return self
