"""What the catalog gives of a study: its cells, and what was measured with each."""

from collections.abc import Mapping
from dataclasses import dataclass

import xarray as xr


@dataclass(frozen=True)
class MeasuredCell:
    """What an analysis is given of one cell.

    Attributes
    ----------
    records
        Of the cycler, along `record`.
    frames
        Aligned and reduced, along `frame`, by the name of the measurement.
    """

    records: xr.Dataset
    frames: Mapping[str, xr.Dataset]


Cells = Mapping[str, MeasuredCell]
"""By place, or by name where the study has a single one."""


def one_cell(records: xr.Dataset, frames: xr.Dataset, measurement: str = "frames") -> Cells:
    """A single cell with a single measurement."""
    return {"cell": MeasuredCell(records, {measurement: frames})}


def only(cells: Cells) -> tuple[xr.Dataset, xr.Dataset]:
    """Records and frames of a single cell with a single measurement.

    Raises
    ------
    ValueError
        If there are others.
    """
    found = [(cell.records, frames) for cell in cells.values() for frames in cell.frames.values()]
    if len(found) != 1:
        raise ValueError(f"{len(found)} measurements of {len(cells)} cells, where one is looked at")
    return found[0]
