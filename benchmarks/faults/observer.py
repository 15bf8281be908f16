"""A second client, in a process of its own: it commands nothing and keeps every record it is shown.

Usage: python -m benchmarks.faults.observer CONFIG_FILE RECORDS_FILE
"""

import os
import signal
import sys
import threading
from pathlib import Path

from intercalate.config import Config
from intercalate.contract import OnLoss

PERIOD_S = 0.25
"""Wall seconds between two looks."""

CONNECT_S = 60.0


def observe(config: Config, path: Path, ended: threading.Event) -> None:
    """Append records of the first channel to a file of 64-bit floats until `ended` is set."""
    os.environ.update(config.channel_access_environment())
    import ophyd

    ophyd.set_cl("pyepics")
    from intercalate.devices.cycler import Cycler, CyclerError

    cycler = Cycler(
        config.cycler.channel_prefix(config.cycler.channels[0]),
        name="observer",
        site=config.site,
        on_abort=OnLoss.CONTINUE,
        on_client_lost=OnLoss.CONTINUE,
    )
    cycler.wait_for_connection(timeout=CONNECT_S)
    with path.open("ab") as file:
        while True:
            is_last = ended.is_set()
            try:
                while len(rows := cycler.read_records()):
                    file.write(rows.astype("<f8").tobytes())
                    file.flush()
            except (CyclerError, TimeoutError):
                # The server is away; it is asked again.
                pass
            if is_last:
                return
            ended.wait(PERIOD_S)


def main() -> None:
    """Observe until this process is told to end."""
    ended = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: ended.set())
    observe(Config.from_file(sys.argv[1]), Path(sys.argv[2]), ended)


if __name__ == "__main__":
    main()
