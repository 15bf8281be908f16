"""What a run's start document says of the experiment."""

from collections import UserDict
from collections.abc import Mapping
from importlib.metadata import version
from typing import Any

from intercalate.calibrations import CalibrationStore
from intercalate.cell import Cell
from intercalate.contract import STATION_NAMES, OnLoss
from intercalate.protocol import BoundProgram, Protocol

CALIBRATIONS = "calibrations"


def calibrations_key(instrument: str) -> str:
    """Key of a start document under which the calibrations of an instrument are."""
    return CALIBRATIONS if instrument == STATION_NAMES[0] else f"{instrument}_{CALIBRATIONS}"


_SOFTWARE = ("intercalate", "bluesky", "ophyd", "tiled")


def software() -> dict[str, str]:
    """Versions by which a run was made."""
    return {name: version(name) for name in _SOFTWARE}


def experiment_metadata(
    plan_name: str,
    cell: Cell,
    protocol: Protocol,
    program: BoundProgram,
    program_id: str,
    on_abort: OnLoss,
    on_client_lost: OnLoss,
    md: Mapping[str, Any],
    **more: Any,
) -> dict[str, Any]:
    """Start metadata of a run in which a program is executed; `md` names the experiment, and goes over it."""
    return {
        "plan_name": plan_name,
        "sample": cell.name,
        "cell": cell.model_dump(mode="json", exclude_none=True),
        "protocol": protocol.model_dump(mode="json", exclude_none=True),
        "protocol_sha256": protocol.sha256,
        "program_id": program_id,
        "program_sha256": program.sha256,
        "program_worst_case_s": program.worst_case_s,
        "capacity_ah": program.capacity_ah,
        "initial_soc": program.initial_soc,
        "begin": None if program.begin is None else program.begin.model_dump(mode="json"),
        "on_abort": str(on_abort),
        "on_client_lost": str(on_client_lost),
        "software": software(),
        **more,
        **md,
    }


class LiveMetadata(UserDict[str, Any]):
    """Metadata of every run of a RunEngine, with the calibrations that are in use when the run opens.

    Parameters
    ----------
    stores
        By the name of the instrument.
    """

    def __init__(self, fixed: Mapping[str, Any], stores: Mapping[str, CalibrationStore]):
        self._stores = {calibrations_key(name): one for name, one in stores.items()}
        super().__init__({**fixed, **dict.fromkeys(self._stores)})

    def __getitem__(self, key: str) -> Any:
        return self._stores[key].summary() if key in self._stores else super().__getitem__(key)
