"""Files with plans of one's own: what is found in them, and that one with a mistake stops no other."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from intercalate.user_plans import load_user_plans

GOOD = '''
import bluesky.plan_stubs as bps

def waits_a_little(seconds: float = 1.0):
    """Wait."""
    yield from bps.sleep(seconds)

def how_long():
    return 3.0

def _hidden():
    yield from bps.null()
'''


def written(folder: Path, **files: str) -> Path:
    for name, text in files.items():
        (folder / f"{name}.py").write_text(text)
    return folder


def test_public_generator_functions_are_plans(tmp_path: Path) -> None:
    found = load_user_plans(written(tmp_path, good=GOOD, _left_alone="1/0"))
    assert list(found.plans) == ["waits_a_little"]
    assert found.refused == {}
    assert [message.command for message in found.plans["waits_a_little"](0.5)] == ["sleep"]
    assert "Wait." in found.describe()


def test_a_folder_that_is_not_there_holds_nothing(tmp_path: Path) -> None:
    found = load_user_plans(tmp_path / "plans")
    assert (found.plans, found.refused) == ({}, {})
    assert "no plan files" in found.describe()


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("def plan(:\n    pass\n", "line 1: "),
        ("import numpy\nnumpy.no_such_thing\n", "line 2: AttributeError"),
        ("import no_such_module\n", "line 1: ModuleNotFoundError"),
        ("raise SystemExit(3)\n", "line 1: SystemExit"),
        ("\x00", "null bytes"),
        ("# nothing\n", "no function stands in it"),
        ("from __future__ import annotations\ndef plan():\n    yield\n", "take the line out"),
        ("def operando():\n    yield\n", "there is a 'operando' already"),
        ("def waits_a_little():\n    yield\n", "there is a 'waits_a_little' already"),
        ("import enum\nA = enum.Enum('A', 'x')\ndef plan(a: A = A.x):\n    yield\n", "the queue cannot read"),
    ],
)
def test_a_file_with_a_mistake_is_left_out_with_its_reason(tmp_path: Path, text: str, why: str) -> None:
    found = load_user_plans(written(tmp_path, good=GOOD, zbad=text), taken={"operando"})
    assert list(found.plans) == ["waits_a_little"]
    assert why in found.refused["zbad.py"]
    assert "zbad.py is left out: " in found.describe()


@given(st.binary(max_size=60))
def test_no_file_stops_the_others(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    folder = written(tmp_path_factory.mktemp("plans"), good=GOOD)
    # A line that is no statement: what follows is compiled, and never executed.
    (folder / "bad.py").write_bytes(b"raise ValueError\n" + content)
    found = load_user_plans(folder)
    assert list(found.plans) == ["waits_a_little"]
    assert list(found.refused) == ["bad.py"]
