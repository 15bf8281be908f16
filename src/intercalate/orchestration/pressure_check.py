"""Cells under pressure: why they do not go between diamonds, and what would."""

from intercalate.cell import Cell, CellFormat
from intercalate.orchestration.tasks import PRESSURE, FramesTask
from intercalate.problems import Problem

PRESSURE_MODE = "pressure_scan"
"""Of the files of experiments in which a sample is pressed."""

WHAT_WORKS = (
    "take a powder of its electrode with a marker: a sample file such as samples/lfp_nanopowder_gold.toml, "
    f'in an experiment with mode = "{PRESSURE_MODE}"'
)

_HOUSING = {
    CellFormat.COIN: "a coin cell is 20 mm wide, in steel",
    CellFormat.POUCH: "a pouch is centimetres wide, and bursts",
    CellFormat.CYLINDRICAL: "a cylindrical cell is centimetres wide, and bursts",
    CellFormat.PRISMATIC: "a prismatic cell is centimetres wide, and bursts",
    CellFormat.CAPILLARY: "a capillary breaks",
}


def problems_of_cell(cell: Cell, where: str) -> list[Problem]:
    """Why a cell does not go between diamonds, and what would."""
    housing = _HOUSING.get(cell.format, "its housing is millimetres wide, with windows that bear no pressure")
    found = [
        Problem(
            f"{where}.format",
            str(cell.format),
            f"{cell.name} does not fit into a hole some 0.3 mm wide between two diamonds: {housing}",
            WHAT_WORKS,
        )
    ]
    electrolyte = cell.electrolyte
    if electrolyte is not None and electrolyte.kind in ("liquid", "ionic_liquid", "gel"):
        found.append(
            Problem(
                f"{where}.electrolyte.kind",
                electrolyte.kind,
                f"{electrolyte.name} would be the medium between the diamonds: it turns solid at a few GPa, "
                "and no leads reach it",
                WHAT_WORKS,
            )
        )
    return found


def problems_of_pressure(one: FramesTask, cell: Cell) -> list[Problem]:
    """Why a measurement of a cell asks for a pressure in vain; nothing where it does not."""
    where = f"settings.{PRESSURE}"
    return problems_of_cell(cell, where) if one.setting(PRESSURE) else []
