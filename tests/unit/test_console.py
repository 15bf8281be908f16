"""What a session in IPython shows a newcomer."""

from collections.abc import Iterator
from typing import Any

import pytest
from IPython.core.completer import provisionalcompleter
from IPython.core.interactiveshell import InteractiveShell
from ophyd import Component, Device, Signal

from intercalate import console
from intercalate.config import DEFAULT_CONFIG, Config
from intercalate.devices.cycler import Cycler
from intercalate.devices.frame_detector import FrameDetector
from intercalate.devices.station import Station


@pytest.fixture(scope="module")
def shell() -> Iterator[Any]:
    with pytest.MonkeyPatch.context() as patch:
        # Of the shell that started the tests: IPython warns where it names another environment.
        patch.delenv("VIRTUAL_ENV", raising=False)
        yield InteractiveShell.instance()
    InteractiveShell.clear_instance()


class Holder(Device):
    angle_deg = Component(Signal, value=0.0)


def completions(shell: Any, text: str) -> set[str]:
    with provisionalcompleter():
        return {one.text.lstrip(".") for one in shell.Completer.completions(text, len(text))}


def test_a_cycler_shows_its_values_and_abilities_and_not_those_of_the_library() -> None:
    config = Config.from_file(DEFAULT_CONFIG)
    cycler = Cycler(
        "NO:SUCH:", name="cycler", site=config.site, on_abort="rest", on_client_lost="rest", lease_s=10
    )
    names = console.useful_names(cycler)
    assert {"voltage_v", "current_a", "state", "program_info", "read"} <= set(names)
    assert len(names) < 0.5 * len([name for name in dir(cycler) if not name.startswith("_")])
    assert not any(name.startswith("_") for name in names)
    assert "kind" not in names


def test_completion_offers_what_is_useful(shell: Any) -> None:
    console._complete_what_is_useful(shell)
    detector = FrameDetector("NO:SUCH:", name="camera", frames_folder="frames")
    shell.user_ns["camera"] = detector
    offered = completions(shell, "camera.")
    assert "exposure_s" in offered
    assert "wait_for_connection" not in offered
    shell.user_ns["holder"] = Holder(name="holder")
    assert completions(shell, "holder.angle_deg.") == {"get", "name", "put", "read", "set"}


def test_a_refusal_is_a_message_and_a_mistake_shows_where(
    shell: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    shell.set_custom_exc(console.REFUSALS, console._say_what_was_refused)
    shell.run_cell("from intercalate.operator_requests import parse_request\nparse_request('stop')")
    said = capsys.readouterr()
    assert "RequestError: 'stop': say `skip cell`" in said.err
    assert "Traceback" not in said.out + said.err
    shell.run_cell("int('x')")
    said = capsys.readouterr()
    assert "Traceback" in said.out + said.err


def test_a_station_shows_its_devices() -> None:
    devices = dict.fromkeys(
        ("detector", "shutter", "monitors", "beam", "changer", "clocks", "calibrations", "dose"), object()
    )
    names = console.useful_names(Station(name="xrd", technique="xrd", **devices))  # type: ignore[arg-type]
    assert {*devices, "name", "technique", "settings", "unavailable"} <= set(names)
    assert "ion_column" not in names
