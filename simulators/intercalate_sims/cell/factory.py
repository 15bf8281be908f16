"""Cells by name."""

from typing import Any

from intercalate_sims.cell.interface import CellModel
from intercalate_sims.cell.parameters import (
    CELLS,
    cell_names,
    lithium_cell,
    lithium_cell_names,
    sulfur_cell,
    sulfur_cell_names,
)

PYBAMM_SPECS = ("pybamm:Chen2020",)
REDUCED = cell_names()
"""Cells of the reduced model."""
LITHIUM_METAL = lithium_cell_names()
"""Cells of two electrodes of lithium."""
LITHIUM_SULFUR = sulfur_cell_names()
"""Cells of sulfur against lithium."""
REPLAY = "replay:"
"""Before the path of a cycler's file, which is then played back."""


def cell_specs() -> tuple[str, ...]:
    """Names that `make_cell` knows; besides, it plays back `replay:FILE`."""
    return (*REDUCED, *LITHIUM_METAL, *LITHIUM_SULFUR, *PYBAMM_SPECS)


def between_electrodes_m(spec: str) -> float:
    """Thickness of what lies between the electrodes of a cell.

    Raises
    ------
    ValueError
        If there are no parameters of such a cell.
    """
    if spec in REDUCED:
        return CELLS[spec].separator_thickness_m
    if spec in LITHIUM_METAL:
        return lithium_cell(spec).separator_thickness_m
    if spec in LITHIUM_SULFUR:
        return sulfur_cell(spec).separator_thickness_m
    if spec in PYBAMM_SPECS:
        return CELLS["nmc811-graphite"].separator_thickness_m
    raise ValueError(f"nothing is known of what lies between the electrodes of {spec!r}")


def is_replay(spec: str) -> bool:
    """Whether a cell plays back a file."""
    return spec.startswith(REPLAY)


def _unknown(spec: str) -> str:
    return f"unknown cell {spec!r}; known are {', '.join(cell_specs())}, {REPLAY}FILE"


def make_cell(
    spec: str,
    *,
    seed: int = 0,
    dt_s: float = 2.0,
    area_cm2: float | None = None,
    temperature_c: float | None = None,
    **options: Any,
) -> CellModel:
    """Make a cell.

    Parameters
    ----------
    spec
        One of `cell_specs()`, or `replay:` and the path of a cycler's file.
    seed
        Of the scatter between and within cells of the same make.
    dt_s
        Fixed step of cell time, 0.1 to 10 s.
    area_cm2
        Electrode area; by default that of a disc of 14 mm, 1.539 cm2.
    temperature_c
        Of the surroundings; by default that at which such a cell is kept, 25 degC for most.
    **options
        Of the model: `initial_soc` (None: as assembled) of all, `slices`, `side_reactions` and `host` of
        the reduced ones, `turnover_current_a_m2` of those in which growth of lithium is followed,
        `shuttle_per_s` and `host` of sulfur.

    Raises
    ------
    ValueError
        If the spec is unknown, a file to play is refused, or a number out of range.
    ImportError
        If PyBaMM is asked for and not installed.
    OSError
        If a file to play cannot be read.
    """
    common: dict[str, Any] = {
        "seed": seed,
        "dt_s": dt_s,
        "area_cm2": area_cm2,
    }
    if temperature_c is not None:
        common["temperature_c"] = temperature_c
    if spec in REDUCED:
        from intercalate_sims.cell.intercalation import IntercalationCell

        return IntercalationCell(CELLS[spec], **common, **options)
    if spec in LITHIUM_METAL:
        from intercalate_sims.cell.lithium_metal import LithiumMetalCell

        return LithiumMetalCell(lithium_cell(spec), **common, **options)
    if spec in LITHIUM_SULFUR:
        from intercalate_sims.cell.lithium_sulfur import SulfurCell

        return SulfurCell(sulfur_cell(spec), **common, **options)
    if spec in PYBAMM_SPECS:
        from intercalate_sims.cell.pybamm_adapter import PybammCell

        return PybammCell(**common, **options)
    if is_replay(spec):
        from intercalate_sims.cell.replay import ReplayCell

        return ReplayCell(spec, **common, **options)
    raise ValueError(_unknown(spec))


def restore_cell(state: dict[str, Any]) -> CellModel:
    """Make the cell that `to_state` of any model described; it continues identically, bit for bit.

    Raises
    ------
    ValueError
        If the state is of no known model or does not fit it.
    KeyError
        If the state lacks an entry.
    """
    spec = state["spec"]
    if spec in REDUCED:
        from intercalate_sims.cell.intercalation import IntercalationCell

        return IntercalationCell.from_state(state, CELLS[spec])
    if spec in LITHIUM_METAL:
        from intercalate_sims.cell.lithium_metal import LithiumMetalCell

        return LithiumMetalCell.from_state(state, lithium_cell(spec))
    if spec in LITHIUM_SULFUR:
        from intercalate_sims.cell.lithium_sulfur import SulfurCell

        return SulfurCell.from_state(state, sulfur_cell(spec))
    if spec in PYBAMM_SPECS:
        from intercalate_sims.cell.pybamm_adapter import PybammCell

        return PybammCell.from_state(state)
    if is_replay(spec):
        from intercalate_sims.cell.replay import ReplayCell

        return ReplayCell.from_state(state)
    raise ValueError(f"state is of an {_unknown(spec)}")
