"""What the executor asks of one channel of a cycler, and what it hears from it."""

from dataclasses import dataclass
from typing import Protocol

from intercalate.contract import Capability, EndReason
from intercalate.protocol import Segment


class ChannelError(RuntimeError):
    """The channel refused or could not take a command; what the cell does is then unknown."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One reading of a channel.

    Attributes
    ----------
    unix_time_s
        Laboratory time of the reading.
    voltage_v, current_a
        At the terminals; + current charges.
    charge_ah
        Counter of net charge, + is charge; any origin. It goes on while the server is away, so that what
        flowed before the channel noticed is put to the program's account afterwards.
    temperature_c
        Surface temperature; NaN is a failure of the sensor, and a fault.
    """

    unix_time_s: float
    voltage_v: float
    current_a: float
    charge_ah: float
    temperature_c: float


@dataclass(frozen=True, slots=True)
class ImpedancePoint:
    """One frequency of a spectrum.

    Attributes
    ----------
    frequency_hz
        As measured.
    impedance_ohm
        Imaginary part negative where capacitive.
    """

    frequency_hz: float
    impedance_ohm: complex


class ChannelListener(Protocol):
    """Receiver of what a channel reports; called in the order in which things happened."""

    def on_started(self, segment: Segment) -> None:
        """The channel acknowledged that it now executes `segment`."""
        ...

    def on_sample(self, sample: Sample) -> None:
        """A reading, at the channel's own sampling period, at open circuit too."""
        ...

    def on_impedance(self, segment: Segment, point: ImpedancePoint) -> None:
        """One more frequency of the segment's spectrum is measured, the last sample being the latest."""
        ...

    def on_ended(self, segment: Segment, reason: EndReason) -> None:
        """A cut-off of `segment` was met at the last sample, or its spectrum is complete.

        The channel is at open circuit.
        """
        ...

    def on_lost(self, why: str) -> None:
        """The hardware no longer answers."""
        ...

    def on_found(self) -> None:
        """The hardware answers again; the channel is at open circuit."""
        ...


class Channel(Protocol):
    """A channel that executes one segment with its cut-offs and reports samples.

    Commands return at once; what came of them is told to the listener.

    Attributes
    ----------
    rate
        Cell seconds per wall second: 1 with a real cycler.
    capabilities
        What it can do beyond the common. `VOLTAGE_SCAN`: it follows `Segment.setpoint_at`, in steps as long
        as its sampling period at most. `IMPEDANCE_SPECTROSCOPY`: it measures `Segment.spectrum`, reports
        each frequency as soon as it is measured, gives samples meanwhile whose voltage and current are
        means over whole periods, and ends the segment with `SPECTRUM_COMPLETE`.
    """

    name: str

    @property
    def rate(self) -> float: ...

    @property
    def capabilities(self) -> frozenset[Capability]: ...

    def attach(self, listener: ChannelListener) -> None:
        """Report to `listener` from now on."""
        ...

    def start_segment(self, segment: Segment) -> None:
        """Execute `segment`, in place of whatever runs.

        Raises
        ------
        ChannelError
            If the channel cannot take the command.
        """
        ...

    def open_circuit(self) -> None:
        """Stop the current, by every means the channel has."""
        ...

    def unix_time_s(self) -> float:
        """Laboratory time of the channel's clock now."""
        ...
