"""What plans ask of devices: typing Protocols, so that a plan names an ability and not a make."""

from collections.abc import Iterator
from typing import Any, Protocol, runtime_checkable

from bluesky.protocols import Status

from intercalate.contract import OnLoss, Verb
from intercalate.operator_requests import RequestDesk
from intercalate.protocol import SiteLimits


@runtime_checkable
class CyclesCells(Protocol):
    """A cycler channel that executes bound programs by itself.

    Attributes
    ----------
    site
        Limits no program may exceed.
    on_abort, on_client_lost
        What the configuration says for steps composed by hand.
    """

    name: str
    channel: str
    site: SiteLimits
    on_abort: OnLoss
    on_client_lost: OnLoss
    step: Any
    doorbell: Any
    verb: Any
    rate: Any
    lease_remaining_s: Any
    state: Any
    fault_message: Any
    voltage_v: Any
    current_a: Any
    impedance: Any

    def prepare(self, value: dict[str, Any]) -> Status:
        """Say what `kickoff` starts."""
        ...

    def kickoff(self) -> Status:
        """Start the prepared program."""
        ...

    def complete(self) -> Status:
        """Wait for its end."""
        ...

    def read(self) -> Any:
        """Present values."""
        ...

    def describe(self) -> Any:
        """Data keys of `read`."""
        ...

    def describe_collect(self) -> dict[str, Any]:
        """Data keys of the records."""
        ...

    def collect_pages(self) -> Iterator[Any]:
        """New records."""
        ...

    def take_collected(self) -> Any:
        """Records that were collected since this was asked last, shape (n, columns)."""
        ...

    def program_info(self) -> dict[str, Any]:
        """The current or last program."""
        ...

    def clock_s(self) -> float:
        """Its clock now, Unix time; NaN where it does not answer."""
        ...

    def send(self, verb: Verb, **arguments: Any) -> Any:
        """Send a command and wait for its answer; blocks."""
        ...

    def take_lease(self) -> None:
        """Become the client that may command the channel."""
        ...

    @property
    def is_busy(self) -> bool:
        """Whether a program is being executed or held."""
        ...


OPENS_SHUTTER, LEAVES_SHUTTER = "EPICS PV", "None"
"""Shutter modes of an areaDetector camera: the first moves the shutter that its records name."""


@runtime_checkable
class TakesFrames(Protocol):
    """A detector that writes one frame into a file per trigger.

    Attributes
    ----------
    shutter_mode
        Whether an exposure opens the shutter and closes it: staged, it does, until this is `LEAVES_SHUTTER`.
    """

    name: str
    parent: Any
    exposure_s: Any
    shutter_mode: Any
    frames_folder: str
    frame_bytes: int

    def stage(self) -> list[Any]:
        """Open a file."""
        ...

    def unstage(self) -> list[Any]:
        """Close it."""
        ...

    def trigger(self) -> Status:
        """Expose one frame."""
        ...

    def read(self) -> Any:
        """The last frame's reference, index and time."""
        ...

    def describe(self) -> Any:
        """Data keys of `read`."""
        ...

    def unavailable(self) -> str:
        """Why it cannot measure now; empty if it can."""
        ...

    def for_run(self, key: str) -> None:
        """Say whose frames follow, where several runs share an open file."""
        ...

    def last_frame(self) -> Any:
        """Counts of the frame taken last, shape (rows, columns)."""
        ...


@runtime_checkable
class MovesSample(Protocol):
    """A two-axis stage."""

    name: str
    x_mm: Any
    y_mm: Any


@runtime_checkable
class PassesBeam(Protocol):
    """A shutter: `set("open")`, `set("closed")`."""

    name: str
    state: Any

    def set(self, value: str) -> Status:
        """Move it."""
        ...


@runtime_checkable
class ChangesSamples(Protocol):
    """A stage with named places: `set("H1")`, or `set(("H1", 0.3, -0.2))` for a spot off its centre."""

    name: str
    x_mm: Any
    y_mm: Any
    places: Any
    place: Any
    marks_mm: Any
    mark_diameter_um: float

    def find(self, *, content: str | None = None, channel: str | None = None) -> str:
        """Name of the place with this content, or of the cell on this channel."""
        ...

    def centre_mm(self, place: str) -> tuple[float, float]:
        """Stage position of the centre of a place."""
        ...

    def position_mm(self, where: Any) -> tuple[float, float]:
        """Stage position of a place or spot, within the travel."""
        ...

    def is_at(self, where: Any) -> bool:
        """Whether the axes are there now."""
        ...

    def set(self, where: Any) -> Status:
        """Move there."""
        ...

    def read(self) -> Any:
        """Present values."""
        ...

    def describe(self) -> Any:
        """Data keys of `read`."""
        ...


@runtime_checkable
class KeepsCalibrations(Protocol):
    """Where calibrations are kept."""

    name: str
    store: Any
    on_paper: Any
    max_age_h: float

    def keep(self, *args: Any, **kwargs: Any) -> Any:
        """Keep one."""
        ...

    def focus_um(self, place: str) -> float | None:
        """Where the focus was found at a place, or None."""
        ...

    def read(self) -> Any:
        """Present values."""
        ...

    def describe(self) -> Any:
        """Data keys of `read`."""
        ...


@runtime_checkable
class KeepsDoses(Protocol):
    """The account of what the beam does to the cells.

    Attributes
    ----------
    technique
        Whose account it is.
    scale
        In which it is, `intercalate.dose.DoseScale`.
    """

    name: str
    technique: str
    scale: Any
    ledger: Any

    def begin(self, exposure_s: float, run: str = "") -> None:
        """Reserve the dose of an exposure."""
        ...

    def end(self) -> None:
        """Commit it."""
        ...

    def spot_at(self, x_mm: float, y_mm: float) -> Any:
        """A spot on a cell."""
        ...

    def expected(self, formula: str, exposure_s: float) -> float:
        """Dose of an exposure with all the beam there should be."""
        ...

    def removed_um(self, cell: str, spot: Any) -> float:
        """Depth that ions have removed of a cell within a spot; 0 where it is whole."""
        ...

    def milled_here(self) -> tuple[str, float]:
        """Cell in the beam, and how deep ions have milled within its spot."""
        ...

    def account(self, cell: str, formula: str, spot: Any = None) -> float:
        """Dose of a spot, or of the one that got most."""
        ...

    def read(self) -> Any:
        """Dose of the last exposure, and of its spot."""
        ...

    def describe(self) -> Any:
        """Data keys of `read`."""
        ...


@runtime_checkable
class MeasuresCells(Protocol):
    """All that a measurement with one instrument takes.

    Attributes
    ----------
    technique
        What it measures: `xrd`, `raman`, `xps`.
    clocks
        Compares the detector's clock with the cycler's.
    objective
        Moves the beam over the sample, and its focus; None where nothing does.
    chamber
        The vacuum in which it is; None where there is none.
    analyser
        Set to a region before a spectrum; None where there are no regions.
    scan
        How images are made; None where there are none.
    ion_column
        Mills or sputters the sample where the beam meets it; None where nothing does.
    pressure_cell
        Presses a sample at one place of the changer; None where nothing does.
    settings
        Signals that a measurement may ask to be set before its frames, by name.
    of_exposure
        Devices that a frame must be read with, besides the monitors.
    beside_mm
        Where the beam meets the sample, from where the sample changer means.
    requests
        Where people leave what they ask of a running experiment; None where nobody can.
    """

    name: str
    technique: str
    requests: RequestDesk | None
    objective: Any
    chamber: Any
    analyser: Any
    scan: Any
    ion_column: Any
    pressure_cell: Any
    settings: Any
    of_exposure: list[Any]
    beside_mm: Any
    detector: TakesFrames
    shutter: PassesBeam
    monitors: Any
    beam: Any
    changer: ChangesSamples
    clocks: Any
    calibrations: KeepsCalibrations
    dose: KeepsDoses

    def unavailable(self) -> str:
        """Why nothing can be measured now, whatever the detector says; empty if something can."""
        ...


@runtime_checkable
class CarriesCells(Protocol):
    """An airtight vessel in which a cell is carried, and the glovebox where it is loaded."""

    name: str
    location: Any
    holder: Any
    seal: Any
    opened: Any
    pressure_mbar: Any
    glovebox_o2_ppm: Any
    glovebox_h2o_ppm: Any
    glovebox_dew_point_c: Any

    def load(self, holder: str) -> Status:
        """Put a holder into it, or with an empty name the one in it back."""
        ...

    def take_apart(self, electrode: str) -> Status:
        """Take the cell in it apart, so that an electrode shows; for good."""
        ...

    def close(self, seal: str) -> Status:
        """Seal or open it."""
        ...

    def carry(self, where: str, within_s: float) -> Status:
        """Carry it to a place."""
        ...

    def read(self) -> Any:
        """Present values."""
        ...

    def describe(self) -> Any:
        """Data keys of `read`."""
        ...


@runtime_checkable
class KnowsRuns(Protocol):
    """The archive of runs."""

    name: str

    def latest_runs(self, uid: str | None = None) -> list[Any]:
        """The latest run of every program of an experiment: `start`, `is_finished`."""
        ...


@runtime_checkable
class KeepsLog(Protocol):
    """The shift log."""

    name: str
    parent: Any

    def add(self, comment: str, who: str | None = None, *, source: str = "ipython") -> Any:
        """Write an entry."""
        ...

    def read(self) -> Any:
        """The last entry."""
        ...

    def describe(self) -> Any:
        """Data keys of `read`."""
        ...
