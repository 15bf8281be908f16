"""What a configuration says of the queue of plans."""

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from intercalate.instrument_sections import Section

Port = Annotated[int, Field(ge=1024, le=65535)]


class QueueSection(Section):
    """The queue of plans of this machine, served on 127.0.0.1 alone.

    Attributes
    ----------
    control_port, info_port
        Of the RE Manager: commands, by whoever has its key; and what is shown to whoever watches.
    redis
        Where queue and history are kept: "embedded", or a server of one's own by URI.
    redis_port, redis_fsync
        Of the embedded server. `always` writes each change through to the disk, `everysec` within a second.
    startup_folder
        What the worker executes, and who may do what, relative to the configuration file; the shipped one
        where it is not there.
    repeat_failed
        Plans that stay in the queue where they failed. All others are held until a person has decided.
    """

    control_port: Port
    info_port: Port
    redis: Annotated[str, Field(pattern="^(embedded|redis://.+)$")]
    redis_port: Port
    redis_fsync: Literal["always", "everysec"]
    startup_folder: Path
    repeat_failed: tuple[str, ...]

    @model_validator(mode="after")
    def _has_ports_of_its_own(self) -> Self:
        ports = [self.control_port, self.info_port]
        ports += [self.redis_port] if self.redis == "embedded" else []
        if len(set(ports)) < len(ports):
            raise ValueError("control_port, info_port and redis_port are three ports; give each its own")
        return self
