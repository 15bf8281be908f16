"""The shift log: nothing said is lost, whoever writes at once."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from bluesky import RunEngine
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from intercalate.catalog.journal import Journal
from intercalate.cli import main
from intercalate.config import EXAMPLES
from intercalate.devices.logbook import Logbook
from intercalate.shift_log import MAX_COMMENT, ShiftLog, ShiftLogError, as_json
from intercalate_plans import note
from intercalate_plans.log import note_in_run

TEXT = st.text(st.characters(exclude_categories=("Cc", "Cs")), min_size=1, max_size=60).filter(str.strip)


@pytest.fixture
def log(tmp_path: Path) -> ShiftLog:
    return ShiftLog(tmp_path, tmp_path / "journals")


@settings(max_examples=60)
@given(comments=st.lists(st.tuples(TEXT, TEXT), min_size=1, max_size=5))
def test_what_was_said_is_read_back(tmp_path_factory: pytest.TempPathFactory, comments) -> None:
    folder = tmp_path_factory.mktemp("log")
    log = ShiftLog(folder, folder / "journals")
    for comment, who in comments:
        log.add(comment, who)
    found = log.entries()
    assert [(one.comment, one.who) for one in found] == [(c.strip(), w.strip()) for c, w in comments]
    assert [one["comment"] for one in json.loads(as_json(found))] == [c.strip() for c, _ in comments]


@pytest.mark.parametrize(
    ("comment", "who", "message"),
    [
        ("  ", "Ada", "comment is empty"),
        ("shutter sticks", " ", "who is empty"),
        ("x" * (MAX_COMMENT + 1), "Ada", "2001 characters, at most 2000"),
        ("bell \x07", "Ada", "control characters"),
    ],
)
def test_an_entry_that_says_nothing_is_refused(log: ShiftLog, comment: str, who: str, message: str) -> None:
    with pytest.raises(ShiftLogError, match=message):
        log.add(comment, who)
    assert not log.path.exists()


def test_processes_that_write_at_once_lose_nothing(log: ShiftLog) -> None:
    code = (
        "import sys; from pathlib import Path; from intercalate.shift_log import ShiftLog\n"
        "log = ShiftLog(Path(sys.argv[1]), Path(sys.argv[1]))\n"
        "for i in range(100): log.add(f'{sys.argv[2]} {i} ' + 'x' * 500, 'somebody')"
    )
    command = [sys.executable, "-c", code, str(log.path.parent)]
    writers = [subprocess.Popen([*command, name]) for name in ("a", "b")]
    assert [one.wait(60) for one in writers] == [0, 0]
    said = {" ".join(one.comment.split()[:2]) for one in log.entries()}
    assert said == {f"{name} {i}" for name in "ab" for i in range(100)}


def test_a_line_that_was_torn_off_spoils_no_other(log: ShiftLog) -> None:
    log.add("before", "Ada")
    with log.path.open("ab") as file:
        file.write(b'{"time": "2026-01-01T00:00:00", "who": "Ad')
    log.add("after", "Ada")
    assert [one.comment for one in log.entries()] == ["before", "after"]


def test_an_entry_names_the_run_that_is_open_and_no_other(tmp_path: Path, log: ShiftLog) -> None:
    import bluesky.plan_stubs as bps

    engine = RunEngine()
    journal = Journal(tmp_path / "journals")
    engine.subscribe(journal)
    logbook = Logbook(name="logbook", shift_log=log)
    documents = []
    engine.subscribe(lambda name, doc: documents.append((name, doc)))

    def plan():
        uid = yield from bps.open_run()
        yield from note_in_run(logbook, "the beam came back", "Ada")
        # Somebody at another terminal.
        log.add("coffee is ready", "Grace", source="command line")
        yield from bps.close_run()
        return uid

    (uid,) = engine(plan())
    engine(note(logbook, "good night", "Ada"))
    journal.close()
    assert [one.comment for one in log.entries(uid[:8])] == ["the beam came back", "coffee is ready"]
    assert [one.runs for one in log.entries()][-1] == ()
    assert [one.source for one in log.entries()] == ["plan", "command line", "plan"]
    (event,) = [doc for name, doc in documents if name == "event"]
    assert event["data"]["logbook_comment"] == "the beam came back"
    assert event["data"]["logbook_who"] == "Ada"


def test_the_command_line_writes_and_shows_it(tmp_path: Path) -> None:
    config = tmp_path / "simulated.toml"
    config.write_text((EXAMPLES / "config" / "simulated.toml").read_text())
    run = CliRunner().invoke
    said = run(main, ["-c", str(config), "note", "changed the cell in H2", "--who", "Ada"])
    assert said.exit_code == 0, said.output
    nobody = run(main, ["-c", str(config), "note", "   "])
    assert nobody.exit_code == 1
    assert "comment is empty" in nobody.output
    shown = run(main, ["-c", str(config), "log"])
    assert "Ada: changed the cell in H2" in shown.output
    assert os.path.exists(tmp_path / ".intercalate" / "shift_log.jsonl")
