"""What every plan checks before its first message."""

from typing import Any

from intercalate.cell import Cell
from intercalate.contract import OnLoss
from intercalate.devices.roles import MeasuresCells
from intercalate.protocol import BoundProgram, Protocol, SiteLimits, bind

MAX_EXPOSURE_S = 3600.0
MAX_FRAMES = 100_000


def require_role(device: Any, role: type, parameter: str) -> None:
    """Refuse a device that cannot do what the plan needs.

    Raises
    ------
    TypeError
        If `device` does not have the role.
    """
    if not isinstance(device, role):
        raise TypeError(f"{parameter} is {device!r}, which is no device that {role.__name__}")


def require_station(station: Any, technique: str = "") -> None:
    """Refuse what is no instrument, or none of this technique; any is taken where none is named.

    Raises
    ------
    TypeError
        If it is not.
    """
    require_role(station, MeasuresCells, "station")
    if technique and station.technique != technique:
        raise TypeError(f"station is {station.name}, which measures {station.technique}, not {technique}")


def as_cell(cell: Cell | dict[str, Any]) -> Cell:
    """Validated cell, from a model or its JSON form."""
    return cell if isinstance(cell, Cell) else Cell.from_dict(cell, source="cell")


def as_protocol(protocol: Protocol | dict[str, Any]) -> Protocol:
    """Validated protocol, from a model or its JSON form."""
    return protocol if isinstance(protocol, Protocol) else Protocol.from_dict(protocol, source="protocol")


def bound(
    protocol: Protocol | dict[str, Any],
    cell: Cell | dict[str, Any],
    site: SiteLimits,
    initial_soc: float | None,
) -> tuple[Protocol, Cell, BoundProgram]:
    """Protocol, cell and program, each of them checked."""
    checked_cell, checked_protocol = as_cell(cell), as_protocol(protocol)
    program = bind(checked_protocol, checked_cell, site, initial_soc=initial_soc)
    return checked_protocol, checked_cell, program


def as_loss(value: str, parameter: str) -> OnLoss:
    """`continue` or `rest`.

    Raises
    ------
    ValueError
        For anything else.
    """
    if value not in list(OnLoss):
        raise ValueError(f"{parameter} is {value!r}; say {' or '.join(repr(str(one)) for one in OnLoss)}")
    return OnLoss(value)


def check_exposure(exposure_s: float, count: int = 1) -> None:
    """Refuse an exposure or a number of frames that nobody can mean.

    Raises
    ------
    ValueError
        If either is outside its limits.
    """
    if not 1 <= count <= MAX_FRAMES:
        raise ValueError(f"{count} frames are asked for; 1 to {MAX_FRAMES} can be taken in one run")
    if not 0 < exposure_s <= MAX_EXPOSURE_S:
        raise ValueError(f"exposure_s is {exposure_s}; it must be above 0 and at most {MAX_EXPOSURE_S:g} s")
