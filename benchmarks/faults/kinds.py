"""What a kind of fault is, what it strikes, and what came of it."""

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from benchmarks.faults.experiments import Follower, PlanRun, Run
from benchmarks.faults.scene import BrokenPromise, Moment, Scene
from intercalate.contract import CyclerState, OnLoss


class Where(Enum):
    """Which experiments a fault can strike."""

    PLAN = "in the RunEngine of this process"
    PROCESS = "`intercalate run`"
    ANY = "either"


@dataclass
class Act:
    """An experiment under way.

    Attributes
    ----------
    program_id
        Of the program that the cycler executes.
    runs
        Of the experiment: the first, and those that took it up.
    spare_frames
        Frames that no event needs to have, because what exposed them was hit.
    """

    scene: Scene
    on_abort: OnLoss
    on_client_lost: OnLoss
    runs: list[Follower] = field(default_factory=list)
    program_id: str = ""
    spare_frames: int = 1

    @property
    def run(self) -> Follower:
        """The latest."""
        return self.runs[-1]

    @property
    def plan(self) -> PlanRun:
        """The latest, which is a plan in this process."""
        assert isinstance(self.run, PlanRun)
        return self.run

    @property
    def process(self) -> Run:
        """The latest, which is a process."""
        assert isinstance(self.run, Run)
        return self.run

    def frames(self) -> int:
        """Number of frames in the journal."""
        return len(self.run.documents().events("xrd"))

    def next_frame(self) -> None:
        """Wait for one more.

        Raises
        ------
        BrokenPromise
            If none comes.
        """
        before = self.frames()
        self.scene.until(lambda: self.frames() > before, "the next frame")

    def took(self, since: Moment, *, whole: bool = True) -> "Took":
        """The time since a moment."""
        now = self.scene.now()
        return Took(now.wall_s - since.wall_s, now.cell_s - since.cell_s, whole)

    def require(self, is_so: object, otherwise: str) -> None:
        """Take a promise at its word.

        Raises
        ------
        BrokenPromise
            With `otherwise`.
        """
        if not is_so:
            raise BrokenPromise(otherwise)

    def require_cycling(self) -> None:
        """The program runs."""
        state = self.scene.state()
        self.require(state is CyclerState.RUNNING, f"the program is {state}")

    def require_goes_on(self) -> None:
        """Records come, though nobody may collect them."""
        before = self.scene.announced()
        self.scene.until(lambda: self.scene.announced() > before, "the cell goes on")

    def program(self) -> dict[str, Any]:
        """The cycler's account of the program.

        Raises
        ------
        BrokenPromise
            If the cycler's last program is another.
        """
        info = self.scene.cycler.program_info()
        found = info.get("program_id")
        self.require(found == self.program_id, f"the last program is {found}, not {self.program_id}")
        return info


@dataclass(frozen=True)
class Took:
    """What came of a fault.

    Attributes
    ----------
    wall_s, cell_s
        Until the demanded state.
    whole
        Whether the run must hold every record of its program, because its session lived to see the end.
    """

    wall_s: float
    cell_s: float
    whole: bool = True


@dataclass(frozen=True)
class Kind:
    """A kind of fault.

    Attributes
    ----------
    name, demanded
        In words.
    strike
        Injects it and waits for the state that is demanded.
    count
        How many of them in the whole matrix.
    on_abort, on_client_lost
        What the experiment must say; drawn where None.
    goes_on_if
        Which of the two, where it is `continue`, let the program go on to its own end; none where it never
        does.
    lasts_s
        Cell seconds of a program that goes on to its own end.
    """

    name: str
    demanded: str
    strike: Callable[[Act], Took]
    count: int
    where: Where = Where.ANY
    on_abort: OnLoss | None = None
    on_client_lost: OnLoss | None = None
    goes_on_if: tuple[str, ...] = ()
    lasts_s: float = 12_000.0
