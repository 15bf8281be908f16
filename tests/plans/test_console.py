"""A session at the instrument as a newcomer has it: a real IPython on a pseudo terminal, real services."""

import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pexpect
import pytest

from beamline import Beamline, start_beamline
from intercalate.catalog.journal import journals, stop_of
from intercalate.catalog_services import catalog_services
from intercalate.config import CONFIG_VARIABLE
from intercalate.console import EXAMPLES_OF_USE

pytestmark = [pytest.mark.service, pytest.mark.timeout(240)]

PROMPT = r"In \[{}\]: "
BROKEN = "def charge_slowly(:\n    pass\n"
OWN = '''
from pathlib import Path

import bluesky.plan_stubs as bps

with Path(__file__).with_suffix(".executed").open("a") as log:
    log.write("once")

def wait_a_little(seconds: float = 0.1):
    """Wait."""
    yield from bps.sleep(seconds)
'''


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Beamline]:
    found = start_beamline(tmp_path_factory.mktemp("console"), rate=2500.0)
    plans = found.folder / "plans"
    plans.mkdir()
    (plans / "broken.py").write_text(BROKEN)
    (plans / "own.py").write_text(OWN)
    yield found
    catalog_services(found.config).stop()
    found.services.stop()


class Console:
    """What is typed into a session, and what it shows."""

    def __init__(self, beamline: Beamline, folder: Path, *command: str):
        environment = {
            **os.environ,
            "IPYTHONDIR": str(folder),
            "IPY_TEST_SIMPLE_PROMPT": "1",
            CONFIG_VARIABLE: str(beamline.config_file),
        }
        arguments = ["-m", *command]
        self._process = pexpect.spawn(
            sys.executable, arguments, env=environment, encoding="utf-8", timeout=180, dimensions=(60, 200)
        )
        self._number = 1
        self.shown = self._until_prompt()

    def _until_prompt(self) -> str:
        self.wait_for(PROMPT.format(self._number))
        return self.shown

    def wait_for(self, pattern: str) -> None:
        self._process.expect(pattern)
        assert isinstance(self._process.before, str)
        self.shown = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]|\x1b[=>]", "", self._process.before)

    def type(self, line: str) -> None:
        self._process.send(line + "\r")

    def run(self, line: str) -> str:
        """Type a line and wait for the next prompt; what was shown in between."""
        self._number += 1
        self.type(line)
        return self._until_prompt()

    def close(self) -> None:
        self.type("exit()")
        self._process.expect(pexpect.EOF)
        self._process.close()


@pytest.fixture(scope="module")
def console(running: Beamline, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Console]:
    found = Console(running, tmp_path_factory.mktemp("ipython"), "intercalate.cli", "console")
    yield found
    found.close()


def test_the_banner_says_what_there_is(console: Console, running: Beamline) -> None:
    banner = console.shown
    assert "starting the catalog" in banner
    assert "Out[" not in banner
    assert "simulated at 2500 times real time" in banner
    assert re.search(r"cycler +cycler", banner)
    assert re.search(r"instruments +xrd", banner)
    assert re.search(r"catalog +cat", banner)
    assert re.search(r"your plans +wait_a_little", banner)
    assert "broken.py is left out: line 1" in banner
    assert (running.folder / "plans" / "own.executed").read_text() == "once"
    for line in EXAMPLES_OF_USE.splitlines():
        assert line.rstrip() in banner


def test_every_example_runs_and_what_is_typed_meanwhile_is_done(console: Console, running: Beamline) -> None:
    before, operando, after = EXAMPLES_OF_USE.splitlines()[:4], *EXAMPLES_OF_USE.splitlines()[4:]
    for line in before:
        shown = console.run(line.partition("#")[0])
        assert "Error" not in shown, shown
    console._number += 1
    console.type(operando)
    console.wait_for(r"xrd +2 ")
    console.type("skip cell")
    console.wait_for("the next visit is skipped")
    console.wait_for("left [|] beam on")
    console.type("repeat frame")
    console.wait_for("is taken once more")
    console.wait_for(PROMPT.format(console._number))
    assert "Error" not in console.run(after.partition("#")[0])
    stops = [stop_of(path) for path in journals(running.config.journals_folder)]
    (asked,) = [stop for stop in stops if stop is not None and "requests" in stop["num_events"]]
    assert asked["exit_status"] == "success"
    assert asked["num_events"]["requests"] == 2


def test_what_is_refused_is_a_sentence(console: Console) -> None:
    shown = console.run("RE(count_frames(xrd, 3))")
    assert "TypeError" in shown
    assert "Traceback" not in shown
    assert "UsageError: no experiment that measures is running" in console.run("skip cell").replace(
        "\r\n", " "
    )


def test_plans_of_ones_own_are_read_anew(console: Console, running: Beamline) -> None:
    assert "Error" not in console.run("RE(wait_a_little(0.1))")
    (running.folder / "plans" / "broken.py").write_text(OWN.replace("wait_a_little", "wait_longer"))
    shown = console.run("%plans")
    assert "wait_longer" in shown
    assert "left out" not in shown
    assert "Error" not in console.run("RE(wait_longer(0.1))")


def test_nothing_runs_is_said(console: Console) -> None:
    assert "nothing runs" in console.run("%status")


def test_runs_are_found_by_what_they_are(console: Console) -> None:
    shown = console.run("[one.plan for one in runs(find(plan='operando'))]")
    assert "['operando']" in shown
    assert "no technique is called 'xdr'" in console.run("find(technique='xdr')")
