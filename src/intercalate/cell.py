"""What is in the beam: a cell, its electrodes, its electrolyte, and what was done to it."""

import math
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import AwareDatetime, Field, ValidationError, model_validator

from intercalate.problems import ABSENT, Problem, ProblemsError, problems_of, read_file
from intercalate.strict_model import StrictModel

CONSISTENCY = 0.05
"""Largest relative difference between a value that is given and the one that others imply."""

Positive = Annotated[float, Field(gt=0)]
Text = Annotated[str, Field(min_length=1)]


class CellError(ProblemsError):
    """A cell was refused; `problems` lists everything wrong with it."""


class CellFormat(StrEnum):
    """How a cell is built, as far as a beam is concerned."""

    COIN = "coin"
    POUCH = "pouch"
    CYLINDRICAL = "cylindrical"
    PRISMATIC = "prismatic"
    SWAGELOK = "swagelok"
    CAPILLARY = "capillary"
    OPERANDO_TRANSMISSION = "operando_transmission"
    """Windows on both sides: the beam passes through all layers."""
    OPERANDO_REFLECTION = "operando_reflection"
    """One window: the beam leaves where it entered."""
    OTHER = "other"


class Electrode(StrictModel):
    """One electrode of a cell; what is unknown is left out.

    Attributes
    ----------
    material
        Key of the materials tables where there is one, such as `NMC811`, `graphite`, `Li`.
    formula
        Of the active material as it was made.
    active_mass_mg, active_fraction
        Mass of active material, and its part of the coating's mass (0 to 1).
    area_cm2, loading_mg_cm2
        Geometric area, and mass of active material on it.
    areal_capacity_mAh_cm2
        Reversible.
    thickness_um, porosity
        Of the coating, without collector.
    collector, collector_thickness_um
        Foil under the coating.
    lithium_content_assembled
        x in the formula unit when the cell was assembled.
    """

    material: Text
    formula: Text | None = None
    active_mass_mg: Positive | None = None
    active_fraction: Annotated[float, Field(gt=0, le=1)] | None = None
    area_cm2: Positive | None = None
    loading_mg_cm2: Positive | None = None
    areal_capacity_mAh_cm2: Positive | None = None
    thickness_um: Positive | None = None
    porosity: Annotated[float, Field(gt=0, lt=1)] | None = None
    collector: Text | None = None
    collector_thickness_um: Positive | None = None
    lithium_content_assembled: Annotated[float, Field(ge=0)] | None = None

    @model_validator(mode="after")
    def _check_mass(self) -> Self:
        if self.active_mass_mg is None or self.area_cm2 is None or self.loading_mg_cm2 is None:
            return self
        implied_mg = self.area_cm2 * self.loading_mg_cm2
        if abs(implied_mg - self.active_mass_mg) > CONSISTENCY * self.active_mass_mg:
            limit = f"area_cm2 * loading_mg_cm2 is {implied_mg:.4g} mg, more than 5 % away"
            problem = Problem("active_mass_mg", self.active_mass_mg, limit, "correct one of the three")
            raise CellError("electrode", [problem])
        return self

    @property
    def mass_mg(self) -> float | None:
        """Mass of active material, given or from loading and area; None if neither is known."""
        if self.active_mass_mg is not None:
            return self.active_mass_mg
        if self.loading_mg_cm2 is None or self.area_cm2 is None:
            return None
        return self.loading_mg_cm2 * self.area_cm2


class Electrolyte(StrictModel):
    """Electrolyte and how much of it.

    Attributes
    ----------
    kind, solvents
        By which techniques with a vacuum judge it; solvents by their usual short names, as `EC`.
    vapour_pressure_mbar
        At the temperature of the measurement, where it was measured.
    """

    name: Text
    description: Text | None = None
    volume_uL: Positive | None = None
    kind: Literal["liquid", "ionic_liquid", "gel", "polymer", "ceramic", "glass"] | None = None
    solvents: tuple[Text, ...] = ()
    vapour_pressure_mbar: Positive | None = None


class Formation(StrictModel):
    """One thing done to the cell before the experiment.

    Attributes
    ----------
    description
        What was done.
    irreversible_capacity_mAh
        Charge that did not come back; None if unknown.
    finished_at
        With its time zone.
    protocol_sha256
        Of the protocol, where there is one.
    """

    description: Text
    irreversible_capacity_mAh: Annotated[float, Field(ge=0)] | None = None
    finished_at: AwareDatetime | None = None
    protocol_sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")] | None = None


class Cell(StrictModel):
    """A cell as it was made; everything an analysis needs to know months later.

    Attributes
    ----------
    name
        Sample id.
    format, format_detail
        Kind of housing, and the rest in words, such as `CR2032`.
    positive, negative
        By terminal: a positive current flows into the positive terminal and charges the cell.
    working
        Which of them is the subject of the experiment.
    electrode_count, reference
        2, or 3 with the material of the reference electrode.
    np_ratio
        Areal capacity of the negative electrode over that of the positive one.
    window_material, window_thickness_um
        Of each window in the beam.
    optical_window
        The electrode whose face light meets, where there is such a window.
    exposed_face
        What an instrument in a vacuum meets: the face of an electrode, or a cut through all layers.
    one_c_current_mA, one_c_basis
        Current called 1C, and in words what it was computed from; neither without the other.
    min_voltage_V, max_voltage_V
        Electrochemical window, which programs may not leave.
    assembled_at, assembled_in
        With its time zone; glove box or robot.
    temperature_sensor
        Where it sits.
    safety_sheet
        Identifier or address.
    """

    name: Text
    format: CellFormat
    format_detail: Text | None = None
    positive: Electrode
    negative: Electrode
    working: Literal["positive", "negative"]
    electrode_count: Literal[2, 3] = 2
    reference: Text | None = None
    np_ratio: Positive | None = None
    electrolyte: Electrolyte | None = None
    separator: Text | None = None
    separator_thickness_um: Positive | None = None
    window_material: Text | None = None
    window_thickness_um: Positive | None = None
    optical_window: Literal["positive", "negative"] | None = None
    exposed_face: Literal["positive", "negative", "section"] | None = None
    stack_pressure_kPa: Annotated[float, Field(ge=0)] | None = None
    one_c_current_mA: Positive | None = None
    one_c_basis: Text | None = None
    min_voltage_V: float | None = None
    max_voltage_V: float | None = None
    formation: tuple[Formation, ...] = ()
    assembled_at: AwareDatetime | None = None
    assembled_in: Text | None = None
    temperature_sensor: Text | None = None
    proposal: Text | None = None
    users: tuple[Text, ...] = ()
    safety_sheet: Text | None = None
    comment: Text | None = None

    @model_validator(mode="after")
    def _check_whole(self) -> Self:
        problems = [*self._pair_problems(), *self._balance_problems()]
        low, high = self.min_voltage_V, self.max_voltage_V
        if low is not None and high is not None and low >= high:
            limit = f"must be below max_voltage_V = {high:g}"
            problems.append(Problem("min_voltage_V", low, limit, "exchange them"))
        if problems:
            raise CellError("cell", problems)
        return self

    def _pair_problems(self) -> list[Problem]:
        problems: list[Problem] = []
        if (self.one_c_current_mA is None) != (self.one_c_basis is None):
            missing = "one_c_basis" if self.one_c_basis is None else "one_c_current_mA"
            limit = "a 1C current and its basis belong together"
            problems.append(Problem(missing, ABSENT, limit, "add it"))
        if (self.reference is not None) != (self.electrode_count == 3):
            value = ABSENT if self.reference is None else self.reference
            limit = f"electrode_count is {self.electrode_count}"
            problems.append(Problem("reference", value, limit, "name the reference of three electrodes only"))
        return problems

    def _balance_problems(self) -> list[Problem]:
        positive, negative = self.positive.areal_capacity_mAh_cm2, self.negative.areal_capacity_mAh_cm2
        if self.np_ratio is None or positive is None or negative is None:
            return []
        implied = negative / positive
        if abs(implied - self.np_ratio) <= CONSISTENCY * self.np_ratio:
            return []
        limit = f"the areal capacities {negative:g} and {positive:g} mAh/cm2 make it {implied:.4g}"
        return [Problem("np_ratio", self.np_ratio, limit, "correct one of the three")]

    @property
    def capacity_mAh(self) -> float | None:
        """Charge that 1C passes in one hour."""
        return self.one_c_current_mA

    @property
    def working_electrode(self) -> Electrode:
        """The electrode that is the subject of the experiment."""
        return self.positive if self.working == "positive" else self.negative

    @classmethod
    def from_file(cls, path: str | Path) -> Self:
        """Load a `.toml` or `.json` file.

        Raises
        ------
        CellError
            If it is no cell; lists everything wrong with it.
        OSError
            If the file cannot be read.
        """
        path = Path(path)
        try:
            content = read_file(path)
        except ValueError as error:
            raise CellError(path.name, [Problem("", "(the file)", str(error), "correct the file")]) from None
        return cls.from_dict(content, source=path.name)

    @classmethod
    def from_dict(cls, content: Any, *, source: str = "cell") -> Self:
        """Build from the content of a file; `source` names it in errors.

        Raises
        ------
        CellError
            If it is no cell; lists everything wrong with it.
        """
        try:
            return cls.model_validate(content)
        except ValidationError as error:
            raise CellError(source, problems_of(error, cls)) from None

    @classmethod
    def from_aurora(cls, record: dict[str, Any]) -> Self:
        """Map a sample record of the Aurora coin-cell robot.

        The 1C current is the cathode's C-rate-definition capacity: areal where given, otherwise
        specific, times its active mass. Areal capacities are balancing specific capacities times
        active mass over disc area. The cell is dated by the press that closed it.

        Raises
        ------
        CellError
            If the record lacks something that is needed or holds something impossible.
        """
        source = str(record.get("Sample ID", "record")) if isinstance(record, dict) else "record"
        try:
            return cls.from_dict(_aurora_content(record), source=source)
        except KeyError as error:
            problem = Problem(str(error.args[0]), ABSENT, "required in an Aurora record", "add it")
        except (TypeError, ValueError, AttributeError) as error:
            if isinstance(error, CellError):
                raise
            problem = Problem("", "(the record)", str(error), "correct the record")
        raise CellError(source, [problem])


def _aurora_content(record: dict[str, Any]) -> dict[str, Any]:
    """Our fields from an Aurora sample record."""
    positive, negative = _aurora_electrode(record, "Cathode"), _aurora_electrode(record, "Anode")
    areal = record.get("Cathode C-rate Definition Areal Capacity (mAh/cm2)")
    specific = record.get("Cathode C-rate Definition Specific Capacity (mAh/g)")
    one_c_mA, basis = None, None
    if areal is not None:
        one_c_mA = areal * positive["area_cm2"]
        basis = f"cathode C-rate definition, {areal:g} mAh/cm2 on {positive['area_cm2']:.4g} cm2"
    elif specific is not None:
        one_c_mA = specific * positive["active_mass_mg"] / 1000
        basis = f"cathode C-rate definition, {specific:g} mAh/g on {positive['active_mass_mg']:g} mg"
    history = record.get("Assembly history") or []
    pressed = [step["Timestamp"] for step in history if step["Step"] == "Press"]
    return {
        "name": record["Sample ID"],
        "format": "coin",
        "format_detail": f"CR{record['Casing Type']}",
        "positive": positive,
        "negative": negative,
        "working": "positive",
        "np_ratio": record.get("Actual N:P Ratio"),
        "electrolyte": {
            "name": record["Electrolyte Name"],
            "description": record.get("Electrolyte Description"),
            "volume_uL": record.get("Electrolyte Amount (uL)"),
        },
        "separator": record.get("Separator"),
        "one_c_current_mA": one_c_mA,
        "one_c_basis": basis,
        "assembled_at": datetime.strptime(pressed[-1], "%Y-%m-%d %H:%M:%S %z") if pressed else None,
        "comment": record.get("Comments") or None,
    }


def _aurora_electrode(record: dict[str, Any], side: str) -> dict[str, Any]:
    area_cm2 = math.pi * (record[f"{side} Diameter (mm)"] / 20) ** 2
    active_mass_mg = record[f"{side} Active Material Weight (mg)"]
    balancing = record.get(f"{side} Balancing Specific Capacity (mAh/g)")
    return {
        "material": record[f"{side} Type"],
        "active_mass_mg": active_mass_mg,
        "active_fraction": record.get(f"{side} Active Material Weight Fraction"),
        "area_cm2": area_cm2,
        "areal_capacity_mAh_cm2": None if balancing is None else balancing * active_mass_mg / 1000 / area_cm2,
    }
