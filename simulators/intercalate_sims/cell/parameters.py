"""Parameter sets of the simulated cells, read from the files in `data`.

A chemistry is a file there, never a class of its own: `cells` name `electrodes` and an `electrolyte`.
"""

import types
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

from intercalate_sims.cell.parameter_files import Reader, content_of, merged, names_in, read_parameters
from intercalate_sims.cell.shapes import (
    REFERENCE_K,
    CellParameters,
    Cracking,
    Electrolyte,
    HighVoltageFade,
    LithiumCellParameters,
    LithiumFoil,
    LithiumGrowth,
    PorousElectrode,
    SideReactions,
    SulfurCellParameters,
)

__all__ = [
    "CELLS",
    "NMC811_GRAPHITE",
    "REFERENCE_K",
    "CellParameters",
    "Electrolyte",
    "HighVoltageFade",
    "LithiumCellParameters",
    "LithiumFoil",
    "LithiumGrowth",
    "PorousElectrode",
    "SideReactions",
    "SulfurCellParameters",
    "build_cell",
    "cell_names",
    "lithium_cell",
    "lithium_cell_names",
    "read_parameters",
    "sulfur_cell",
    "sulfur_cell_names",
]


def cell_names() -> tuple[str, ...]:
    """Cells of which there are files."""
    return names_in("cells")


def _electrode(reader: Reader, side: str, wanted: Any) -> tuple[PorousElectrode | LithiumFoil | None, str]:
    """An electrode of a cell: a file by name, with what the cell changes of it."""
    if not isinstance(wanted, dict) or "electrode" not in wanted:
        reader.refuse(side, wanted, "a table with `electrode`", "name a file of `electrodes`")
        return None, ""
    base = content_of("electrodes", wanted["electrode"])
    changes = {key: value for key, value in wanted.items() if key != "electrode"}
    content = merged(base, changes)
    said, kind = content.pop("source"), content.pop("kind", None)
    inner = Reader(f"electrodes/{wanted['electrode']}.toml, as in {reader.name}")
    electrode = None
    if kind == "foil":
        electrode = inner.shape(LithiumFoil, content)
    elif kind == "porous":
        side_reactions = content.pop("side_reactions", None)
        if side_reactions is not None:
            side_reactions = inner.shape(SideReactions, side_reactions, "side_reactions.")
        fade = content.pop("high_voltage", None)
        if fade is not None:
            fade = inner.shape(HighVoltageFade, fade, "high_voltage.")
        cracking = content.pop("cracking", None)
        if cracking is not None:
            cracking = inner.shape(Cracking, cracking, "cracking.")
        potential = inner.potential(content.pop("potential", None))
        electrode = inner.shape(
            PorousElectrode,
            content,
            potential=potential,
            side_reactions=side_reactions,
            high_voltage=fade,
            cracking=cracking,
        )
    else:
        inner.refuse("kind", kind, "porous or foil", "say which")
    inner.check()
    return electrode, said


def electrolyte_of(wanted: Any) -> tuple[Electrolyte, str]:
    """An electrolyte by the name of its file, and its sources."""
    content = dict(content_of("electrolytes", str(wanted)))
    said = content.pop("source")
    reader = Reader(f"electrolytes/{wanted}.toml")
    found = reader.shape(Electrolyte, content)
    reader.check()
    return found, said


def growth_of(wanted: Any) -> tuple[LithiumGrowth, str]:
    """How lithium grows, by the name of its file, and its sources."""
    content = dict(content_of("growths", str(wanted)))
    said = content.pop("source")
    reader = Reader(f"growths/{wanted}.toml")
    found = reader.shape(LithiumGrowth, content)
    reader.check()
    return found, said


def build_cell(name: str, content: Mapping[str, Any]) -> CellParameters:
    """The parameters that the content of a cell's file describes.

    Raises
    ------
    ProblemsError
        With the file, the keys, their values and the limits.
    """
    reader = Reader(f"cells/{name}.toml")
    content = dict(content)
    positive, of_positive = _electrode(reader, "positive", content.pop("positive", None))
    negative, of_negative = _electrode(reader, "negative", content.pop("negative", None))
    if isinstance(positive, LithiumFoil):
        reader.refuse("positive", "a foil", "a porous electrode", "a foil can only be the negative electrode")
    reader.check()
    electrolyte, of_salt = electrolyte_of(content.pop("electrolyte", None))
    growth, of_growth = growth_of(content.pop("growth")) if "growth" in content else (None, "none")
    parts = (content.pop("source"), f"positive: {of_positive}", f"negative: {of_negative}")
    said = " | ".join((*parts, f"electrolyte: {of_salt}", f"growth: {of_growth}"))
    made = {"positive": positive, "negative": negative, "electrolyte": electrolyte, "growth": growth}
    found = reader.shape(CellParameters, content, name=name, source=said, **made)
    reader.check()
    return found


def lithium_cell_names() -> tuple[str, ...]:
    """Cells of two electrodes of lithium of which there are files."""
    return names_in("lithium_cells")


@cache
def lithium_cell(name: str) -> LithiumCellParameters:
    """Parameters of a cell of two electrodes of lithium.

    Raises
    ------
    ProblemsError
        With the file, the keys, their values and the limits.
    """
    content = dict(content_of("lithium_cells", name))
    reader = Reader(f"lithium_cells/{name}.toml")
    electrode, of_electrode = _electrode(reader, "electrode", content.pop("electrode", None))
    if isinstance(electrode, PorousElectrode):
        reader.refuse("electrode", electrode.material, "a foil", "name one")
    reader.check()
    electrolyte, of_salt = electrolyte_of(content.pop("electrolyte", None))
    growth, of_growth = growth_of(content.pop("growth", None))
    parts = (content.pop("source"), f"electrode: {of_electrode}", f"electrolyte: {of_salt}")
    said = " | ".join((*parts, f"growth: {of_growth}"))
    made = {"electrode": electrode, "electrolyte": electrolyte, "growth": growth}
    found = reader.shape(LithiumCellParameters, content, name=name, source=said, **made)
    reader.check()
    return found


def sulfur_cell_names() -> tuple[str, ...]:
    """Cells of sulfur against lithium of which there are files."""
    return names_in("sulfur_cells")


@cache
def sulfur_cell(name: str) -> SulfurCellParameters:
    """Parameters of a cell of sulfur against lithium.

    Raises
    ------
    ProblemsError
        With the file, the keys, their values and the limits.
    """
    content = dict(content_of("sulfur_cells", name))
    reader = Reader(f"sulfur_cells/{name}.toml")
    negative, of_negative = _electrode(reader, "negative", content.pop("negative", None))
    if isinstance(negative, PorousElectrode):
        reader.refuse("negative", negative.material, "a foil", "name one")
    said = f"{content.pop('source')} | negative: {of_negative}"
    found = reader.shape(SulfurCellParameters, content, name=name, negative=negative, source=said)
    reader.check()
    return found


class _Cells(Mapping[str, CellParameters]):
    """Cells by name, each read when it is asked for first."""

    def __init__(self) -> None:
        self._read: dict[str, CellParameters] = {}

    def __getitem__(self, name: str) -> CellParameters:
        if name not in cell_names():
            raise KeyError(name)
        if name not in self._read:
            self._read[name] = build_cell(name, content_of("cells", name))
        return self._read[name]

    def __iter__(self) -> Iterator[str]:
        return iter(cell_names())

    def __len__(self) -> int:
        return len(cell_names())


CELLS: Mapping[str, CellParameters] = types.MappingProxyType(_Cells())
"""Cells by name."""

NMC811_GRAPHITE = CELLS["nmc811-graphite"]
"""The cell that PyBaMM's set Chen2020 describes."""
