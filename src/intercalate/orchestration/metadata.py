"""What a run's start document says of the experiment."""

from collections import UserDict
from collections.abc import Mapping
from importlib.metadata import version
from typing import Any

from intercalate.calibrations import CalibrationStore
from intercalate.cell import Cell
from intercalate.contract import OnLoss
from intercalate.protocol import BoundProgram, Protocol

CALIBRATIONS = "calibrations"
_SOFTWARE = ("intercalate", "bluesky", "ophyd", "tiled")


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
        "on_abort": str(on_abort),
        "on_client_lost": str(on_client_lost),
        "software": {name: version(name) for name in _SOFTWARE},
        **more,
        **md,
    }


class LiveMetadata(UserDict[str, Any]):
    """Metadata of every run of a RunEngine, with the calibrations that are in use when the run opens."""

    def __init__(self, fixed: Mapping[str, Any], store: CalibrationStore):
        super().__init__({**fixed, CALIBRATIONS: None})
        self._store = store

    def __getitem__(self, key: str) -> Any:
        return self._store.summary() if key == CALIBRATIONS else super().__getitem__(key)
