"""What a person asks of a running experiment: to skip a cell, repeat a frame, or move to a fresh spot.

A request is a small file in a folder that the plan looks into whenever nothing is in the air. So it makes no
difference where it was asked, in the session that runs the plan, at another terminal, or of a plan that the
queue runs. A request is taken once, and answered; one that nobody has taken can be withdrawn.
"""

import difflib
import fcntl
import json
import math
import os
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from intercalate.config import Config

FOLDER = "requests"
"""In the storage folder."""
_LISTENER = "listener"
_ASKED, _TAKEN, _ANSWER = ".asked.json", ".taken.json", ".answer.txt"
ANSWERS_KEPT = 100
_POLL_S = 0.1


class Action(StrEnum):
    """What can be asked."""

    SKIP_CELL = "skip cell"
    REPEAT_FRAME = "repeat frame"
    FRESH_SPOT = "move to fresh spot"


class RequestError(ValueError):
    """A request was refused, or nobody is there to hear it."""


@dataclass(frozen=True, slots=True)
class OperatorRequest:
    """One request.

    Attributes
    ----------
    place
        Of the cell, by the sample changer; empty for the one that was measured last.
    measurement
        Empty for the one of that cell that was taken last.
    to_mm
        Where the fresh spot is, from the centre of the window; None for the next one of the list.
    who, unix_s
        Who asked, and when.
    """

    action: Action
    place: str = ""
    measurement: str = ""
    to_mm: tuple[float, float] | None = None
    who: str = ""
    unix_s: float = 0.0
    uid: str = ""

    def __str__(self) -> str:
        to = "" if self.to_mm is None else f"to {self.to_mm[0]:g}, {self.to_mm[1]:g} mm"
        return " ".join(one for one in (self.action, self.place, self.measurement, to) if one)


_WORDS: dict[str, Action] = {
    "skip cell": Action.SKIP_CELL,
    "skip": Action.SKIP_CELL,
    "repeat frame": Action.REPEAT_FRAME,
    "repeat": Action.REPEAT_FRAME,
    "move to fresh spot": Action.FRESH_SPOT,
    "fresh spot": Action.FRESH_SPOT,
    "move": Action.FRESH_SPOT,
}
"""What people say, the longest first."""


def parse_request(text: str, who: str = "") -> OperatorRequest:
    """Understand `skip cell H2`, `repeat frame`, `move to fresh spot H1`, `move H1 to 0.5 -0.2`.

    After the action come place and measurement, if the one that was taken last is not meant.

    Raises
    ------
    RequestError
        If it is not understood.
    """
    words = text.replace(",", " ").split()
    said = " ".join(words).lower() + " "
    known = next((one for one in _WORDS if said.startswith(one + " ")), None)
    if known is None:
        options = ", ".join(f"`{one}`" for one in Action)
        close = difflib.get_close_matches(said.strip(), _WORDS, n=1)
        raise RequestError(f"{text!r}: " + (f"did you mean {close[0]}?" if close else f"say {options}"))
    action, rest, to_mm = _WORDS[known], words[len(known.split()) :], None
    if "to" in rest:
        at = rest.index("to")
        rest, to_mm = rest[:at], _position(rest[at + 1 :])
    if len(rest) > 2:
        raise RequestError(f"{text!r}: too many words; `{action} PLACE MEASUREMENT` is all there is")
    place, measurement = (*rest, "", "")[:2]
    request = OperatorRequest(action, place, measurement, to_mm, who)
    _check(request)
    return request


def _position(words: list[str]) -> tuple[float, float]:
    try:
        x_mm, y_mm = map(float, words)
    except ValueError:
        x_mm = y_mm = math.nan
    if not (math.isfinite(x_mm) and math.isfinite(y_mm)):
        raise RequestError("after `to` stand two numbers, x and y in mm from the centre of the window")
    return x_mm, y_mm


def _check(request: OperatorRequest) -> None:
    if request.to_mm is not None and request.action is not Action.FRESH_SPOT:
        raise RequestError(f"`{request.action}` has no position; `{Action.FRESH_SPOT}` may have one")


def _read(path: Path) -> OperatorRequest:
    content = json.loads(path.read_text())
    to_mm = content["to_mm"]
    known = {"action": Action(content["action"]), "to_mm": None if to_mm is None else tuple(to_mm)}
    return OperatorRequest(**{**content, **known})


class RequestDesk:
    """Where requests are left, and heard.

    Parameters
    ----------
    folder
        Made when it is needed.
    """

    def __init__(self, folder: Path):
        self._folder = folder

    @classmethod
    def of(cls, config: "Config") -> Self:
        """The one that a configuration means."""
        return cls(config.stored(FOLDER))

    def ask(self, request: OperatorRequest) -> OperatorRequest:
        """Leave a request; `answer_to` has the answer when it was heard.

        Raises
        ------
        RequestError
            If no experiment listens, or only a fresh spot can have a position.
        """
        _check(request)
        if not self.is_heard():
            raise RequestError("no experiment that measures is running here; nothing was asked")
        now_s = time.time()
        kept = OperatorRequest(
            **{**asdict(request), "unix_s": now_s, "uid": f"{time.time_ns()}-{uuid.uuid4().hex[:8]}"}
        )
        path = self._path(kept, _ASKED)
        hidden = path.with_suffix(".part")
        hidden.write_text(json.dumps(asdict(kept)))
        hidden.rename(path)
        return kept

    def answer_to(self, request: OperatorRequest) -> str | None:
        """What became of a request; None as long as that is open."""
        try:
            return self._path(request, _ANSWER).read_text()
        except FileNotFoundError:
            return None

    def wait_for_answer(self, request: OperatorRequest) -> str:
        """The answer, when it comes: at the latest at the end of an exposure.

        A request that is given up on, by an interrupt, is withdrawn if nobody has taken it.

        Raises
        ------
        RequestError
            If the experiment has ended without an answer.
        """
        try:
            while (answer := self.answer_to(request)) is None:
                if not self.is_heard() and self.withdraw(request):
                    raise RequestError("the experiment has ended before it heard the request")
                time.sleep(_POLL_S)
        except KeyboardInterrupt:
            self.withdraw(request)
            raise
        return answer

    def withdraw(self, request: OperatorRequest) -> bool:
        """Take a request back; False where it was taken already."""
        try:
            self._path(request, _ASKED).unlink()
        except FileNotFoundError:
            return False
        return True

    def is_heard(self) -> bool:
        """Whether an experiment listens now."""
        try:
            with (self._folder / _LISTENER).open() as file:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except FileNotFoundError:
            return False
        except BlockingIOError:
            return True
        return False

    @contextmanager
    def listening(self) -> Iterator[bool]:
        """Hear requests until the end; what was asked before is forgotten.

        Yields whether they are heard: where another experiment listens in this storage folder, it goes on to.
        """
        self._folder.mkdir(parents=True, exist_ok=True)
        with (self._folder / _LISTENER).open("w") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                yield False
                return
            self._forget()
            try:
                yield True
            finally:
                self.take()
                for path in self._folder.glob("*" + _TAKEN):
                    self.answer(_read(path), "not done: the experiment has ended")

    def take(self) -> list[OperatorRequest]:
        """Requests that nobody has taken yet, in the order in which they were made."""
        found = []
        # Names, not files: this is asked several times a second.
        for name in sorted(one for one in os.listdir(self._folder) if one.endswith(_ASKED)):
            path = self._folder / name
            taken = path.with_name(name.removesuffix(_ASKED) + _TAKEN)
            try:
                path.rename(taken)
            except FileNotFoundError:
                continue
            found.append(_read(taken))
        return found

    def answer(self, request: OperatorRequest, answer: str) -> None:
        """Say what became of a request."""
        path = self._path(request, _ANSWER)
        hidden = path.with_suffix(".part")
        hidden.write_text(answer)
        hidden.rename(path)
        self._path(request, _TAKEN).unlink(missing_ok=True)

    def _path(self, request: OperatorRequest, what: str) -> Path:
        return self._folder / (request.uid + what)

    def _forget(self) -> None:
        for path in self._folder.glob("*" + _ASKED):
            path.unlink(missing_ok=True)
        for path in self._folder.glob("*" + _TAKEN):
            path.unlink(missing_ok=True)
        answers = sorted(self._folder.glob("*" + _ANSWER))
        for path in answers[:-ANSWERS_KEPT]:
            path.unlink(missing_ok=True)
