"""What plans ask of devices: typing Protocols, so that a plan names an ability and not a make."""

from collections.abc import Iterator
from typing import Any, Protocol, runtime_checkable

from bluesky.protocols import Status

from intercalate.contract import OnLoss
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
    site: SiteLimits
    on_abort: OnLoss
    on_client_lost: OnLoss
    step: Any
    doorbell: Any
    verb: Any

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

    def program_info(self) -> dict[str, Any]:
        """The current or last program."""
        ...

    @property
    def is_busy(self) -> bool:
        """Whether a program is being executed or held."""
        ...


@runtime_checkable
class TakesFrames(Protocol):
    """A detector that writes one frame into a file per trigger."""

    name: str
    parent: Any
    exposure_s: Any

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

    def set(self, value: str) -> Status:
        """Move it."""
        ...
