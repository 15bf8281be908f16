"""A terminal on running experiments: a line for each frame, the status below, and requests that are typed."""

import os
import select
import sys
import time
from typing import IO, TYPE_CHECKING, Any

from intercalate.catalog.linked import who_now
from intercalate.config import Config
from intercalate.operator_requests import OperatorRequest, RequestDesk, RequestError, parse_request
from intercalate.watching import Follower, status_line

if TYPE_CHECKING:
    from intercalate.views.live import LivePlot

LOOK_S = 0.5
"""Wall seconds between two looks at the journals."""
TEND_S = 0.05
"""The same between two looks at what people do to a window."""
BUSY, IDLE = "busy", "idle"
"""What a console says: a cell of it runs, so that the terminal is free; it waits at its prompt."""


class Terminal:
    """Prints what happens, and takes what is typed.

    Parameters
    ----------
    config
        Where the journals and the requests are.
    out
        Where lines go; on a terminal the status is kept below them.
    """

    def __init__(self, config: Config, out: IO[str]):
        self._follower = Follower(config.journals_folder, config.site)
        self._desk = RequestDesk.of(config)
        self._out = out
        self._is_terminal = out.isatty()
        self._has_status = False
        self._open: list[OperatorRequest] = []

    @property
    def runs(self) -> Any:
        """Those that are open."""
        return self._follower.runs

    def look(self, *, is_shown: bool = True) -> None:
        """Read what is new, and print it unless the terminal belongs to somebody else now."""
        lines = self._follower.poll()
        for request in list(self._open):
            if (answer := self._desk.answer_to(request)) is not None:
                self._open.remove(request)
                lines.append(f"{request}: {answer}")
        if not is_shown:
            return
        for line in lines:
            self._print(line)
        if self._is_terminal and self._follower.runs:
            width = os.get_terminal_size(self._out.fileno()).columns if self._out.isatty() else 200
            self._out.write("\r\x1b[K" + status_line(self._follower.runs)[: width - 1])
            self._out.flush()
            self._has_status = True

    def clear(self) -> None:
        """Take the status away, where the terminal goes to somebody else."""
        if self._has_status:
            self._out.write("\r\x1b[K")
            self._out.flush()
            self._has_status = False

    def hear(self, words: str) -> None:
        """Do what somebody typed."""
        if not words.strip():
            return
        try:
            request = self._desk.ask(parse_request(words, who_now(None)))
        except RequestError as refused:
            self._print(str(refused))
        else:
            self._open.append(request)
            self._print(f"{request}: at the next safe moment")

    def _print(self, line: str) -> None:
        self.clear()
        self._out.write(line + "\n")
        self._out.flush()


def follow(
    config: Config,
    out: IO[str],
    *,
    once: bool = False,
    drawing: "LivePlot | None" = None,
    told_by: IO[str] | None = None,
) -> None:
    """Follow what runs until it is interrupted, or whoever started this is gone.

    Parameters
    ----------
    once
        Say how things stand, and return.
    drawing
        Drawn anew as frames come.
    told_by
        Says `busy` and `idle`, line by line: of a console on the same terminal, which has it at its prompt.
    """
    terminal = Terminal(config, out)
    if once:
        terminal.look(is_shown=False)
        out.write((status_line(terminal.runs) if terminal.runs else "nothing runs") + "\n")
        return
    typed = _terminal_input(told_by)
    is_shown = told_by is None
    look_at_s, wait_s = 0.0, LOOK_S if drawing is None else TEND_S
    try:
        while True:
            heard = (told_by, typed if is_shown and terminal.runs else None)
            ready, _, _ = select.select([one for one in heard if one is not None], [], [], wait_s)
            if told_by in ready:
                assert told_by is not None
                word = told_by.readline()
                if not word:
                    return
                is_shown = word.strip() == BUSY
                if not is_shown:
                    terminal.clear()
            if typed in ready:
                assert typed is not None
                words = typed.readline()
                if not words:
                    typed = None
                else:
                    terminal.hear(words)
            if drawing is not None:
                drawing.canvas.tend()
            if not ready and time.monotonic() < look_at_s:
                continue
            look_at_s = time.monotonic() + LOOK_S
            terminal.look(is_shown=is_shown)
            if drawing is not None:
                drawing.show(terminal.runs)
    except KeyboardInterrupt:
        pass
    finally:
        terminal.clear()


def _terminal_input(told_by: IO[str] | None) -> IO[str] | None:
    """Where people type: this terminal, whatever the input is."""
    if told_by is None:
        return sys.stdin if sys.stdin.isatty() else None
    try:
        return open("/dev/tty")
    except OSError:
        return None
