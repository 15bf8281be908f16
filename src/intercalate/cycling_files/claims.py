"""What the header of a file says of the cell: an instrument's defaults more often than not, so never used."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from intercalate.cycling_files.model import CyclingFile

NAMES = (
    "Mass of active material",
    "Characteristic mass",
    "Battery capacity",
    "Electrode surface area",
    "Electrode material",
    "Electrolyte",
    "Molecular weight of active material (at x = 0)",
    "Acquisition started at",
    "for DX = 1, DQ",
    "Comments",
)
"""Entries of BioLogic's header that are about the cell."""

DEFAULTS = (0.0, 0.001, 1.0)
"""What the instrument writes where nobody entered a number, whatever the unit."""

SPECIFIC_MAH_G = (1.0, 4000.0)
"""Charge that passed, per mass: less is another mass (but for the shortest files), more than lithium metal
(3860) no mass can take."""

CAPACITY_FACTOR = 20.0
"""A capacity so much larger than all that passed is another cell's."""

_MASS_MG = {"mg": 1.0, "g": 1000.0, "kg": 1e6, "ug": 1e-3, "µg": 1e-3}
_QUANTITY = re.compile(r"([+-]?\d+(?:[.,]\d+)?(?:[eE][+-]?\d+)?)\s*(\S+)?")
_CAPACITY = re.compile(r"(\d+(?:[.,]\d+)?)\s*(m?)A\.?h\b")


@dataclass(frozen=True)
class Claim:
    """One entry about the cell.

    Attributes
    ----------
    name, text
        As in the header.
    mass_mg
        Where it is a mass.
    doubt
        Why it is not this cell's; empty where nothing speaks against it, which proves nothing.
    """

    name: str
    text: str
    mass_mg: float | None
    doubt: str

    def __str__(self) -> str:
        return f"{self.name}: {self.text}" + (f" ({self.doubt})" if self.doubt else "")


def claims_of(files: Sequence[CyclingFile]) -> tuple[Claim, ...]:
    """What the headers say of the cell, each saying once; held against the charge of all files."""
    span_mah = 1e3 * sum(float(np.ptp(file.columns["net_capacity_ah"])) for file in files)
    found: dict[tuple[str, str], Claim] = {}
    for file in files:
        for name in NAMES:
            if text := file.header.get(name, ""):
                found.setdefault((name, text), _claim(name, text, span_mah))
    return tuple(found.values())


def _claim(name: str, text: str, span_mah: float) -> Claim:
    match = _QUANTITY.match(text)
    value = float(match[1].replace(",", ".")) if match else None
    unit = (match[2] or "") if match else ""
    mass_mg = value * _MASS_MG[unit] if value is not None and unit in _MASS_MG else None
    return Claim(name, text, mass_mg, _doubt(text, value, mass_mg, span_mah))


def _doubt(text: str, value: float | None, mass_mg: float | None, span_mah: float) -> str:
    if value is not None and value in DEFAULTS:
        return "the instrument's default"
    if mass_mg:
        specific = span_mah / mass_mg * 1e3
        low, high = SPECIFIC_MAH_G
        if not low <= specific <= high:
            return f"implausible: all that passed is {specific:.2g} mAh per gram of it"
    if capacity := _CAPACITY.search(text):
        claimed_mah = float(capacity[1].replace(",", ".")) * (1.0 if capacity[2] else 1e3)
        if claimed_mah > CAPACITY_FACTOR * span_mah:
            return f"implausible: {span_mah:.3g} mAh passed of {claimed_mah:.4g}"
    return ""
