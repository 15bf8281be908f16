"""What the README says: its session runs, its commands exist, and asking for help is quick."""

import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import click
import numpy as np
import pytest
from click.testing import CliRunner

from beamline import Beamline
from intercalate.catalog.journal import journals, read_documents
from intercalate.cli import main
from intercalate.config import CONFIG_VARIABLE, DEFAULT_CONFIG, EXAMPLES, Config
from intercalate.experiment import Experiment

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
HEAVY = {"numpy", "scipy", "pydantic", "bluesky", "ophyd", "epics", "caproto", "tiled", "matplotlib", "pyFAI"}


def blocks(language: str) -> list[str]:
    """Fenced blocks of one language."""
    fenced = re.findall(r"^```(\w*)\n(.*?)^```$", README, flags=re.MULTILINE | re.DOTALL)
    return [text.replace("\\\n", " ") for name, text in fenced if name == language]


def commands(program: str) -> list[list[str]]:
    """Arguments of every call of `program` in shell blocks and in running text, comments left out."""
    fenced = [line for block in blocks("") for line in block.splitlines()]
    running_text = re.sub(r"^```.*?^```$", "", README, flags=re.MULTILINE | re.DOTALL)
    inline = re.findall(r"`([^`]+)`", running_text)
    found = []
    for line in (*fenced, *inline):
        for part in line.partition(" #")[0].split(";"):
            words = shlex.split(part)
            if words[:1] == [program]:
                found.append(words[1:])
    return found


INTERCALATE = [arguments for arguments in commands("intercalate") if arguments]


def resolve(arguments: list[str]) -> list[str]:
    """Parse a command line without executing it; returns the names of the commands that it goes through."""
    command: click.Command = main
    context = None
    path: list[str] = []
    name: str | None = "intercalate"
    while True:
        context = command.make_context(name, list(arguments), parent=context)
        if not isinstance(command, click.Group):
            return path
        arguments = [*context._protected_args, *context.args]
        name, chosen, arguments = command.resolve_command(context, arguments)
        assert chosen is not None
        command = chosen
        path.append(str(name))


def test_the_experiment_file_of_the_readme_can_run(tmp_path: Path) -> None:
    (text,) = blocks("toml")
    path = tmp_path / "experiment.toml"
    path.write_text(text.replace('"../', f'"{EXAMPLES}/'))
    experiment = Experiment.from_file(path, Config.from_file(DEFAULT_CONFIG).site)
    assert experiment.mode == "in_situ"
    assert [one.name for one in experiment.cells[0].measurements] == ["held", "xrd"]


def test_the_readme_shows_the_commands_of_a_first_session() -> None:
    shown = {arguments[0] for arguments in INTERCALATE}
    assert {"init", "simulate", "catalog", "doctor", "run", "runs", "plot", "demo"} <= shown


@pytest.mark.parametrize("arguments", INTERCALATE, ids=" ".join)
def test_every_command_exists(arguments: list[str]) -> None:
    path = resolve(arguments)
    answer = CliRunner().invoke(main, [*path, "--help"])
    assert answer.exit_code == 0, answer.output
    assert "Usage:" in answer.output


def test_a_command_that_does_not_exist_is_noticed() -> None:
    with pytest.raises(click.UsageError, match="launch"):
        resolve(["launch"])
    with pytest.raises(click.UsageError, match="--faster"):
        resolve(["demo", "--faster"])


def test_every_make_target_exists() -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), flags=re.MULTILINE))
    asked = {arguments[0] for arguments in commands("make") if arguments}
    assert {"demo", "test", "bench"} <= asked <= targets


def test_every_file_that_the_readme_names_exists() -> None:
    linked = re.findall(r"\]\((?!https?:)([^)]+)\)", README)
    named = re.findall(r"`((?:src|plans|tests|docs|simulators|profiles)/[^`]*)`", README)
    generated = {"docs/operando.png", "docs/benchmarks.md"}
    missing = [path for path in (*linked, *named) if path not in generated and not (ROOT / path).exists()]
    assert not missing


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys; from intercalate.cli import main; main(['--help'], standalone_mode=False); "
        "print('\\n'.join(name for name in sys.modules if '.' not in name), file=sys.stderr)"
    )
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "Usage:" in answer.stdout
    imported = set(answer.stderr.split())
    assert "click" in imported
    assert not HEAVY & imported


@pytest.mark.service
def test_the_session_runs_as_it_stands(beamline: Beamline, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(CONFIG_VARIABLE, str(beamline.config_file))
    (session_block,) = blocks("python")
    namespace: dict[str, Any] = {}
    try:
        exec(compile(session_block, "README.md", "exec"), namespace)
    finally:
        if "s" in namespace:
            namespace["s"].journal.close()
    runs = [list(read_documents(path)) for path in journals(beamline.config.stored("journals"))]
    by_plan = {documents[0][1]["plan_name"]: documents for documents in runs}
    assert set(by_plan) == {"cycling_records", "count_frames"}
    for documents in runs:
        name, stop, _ = documents[-1]
        assert (name, stop["exit_status"]) == ("stop", "success")
    pages = [doc["data"] for name, doc, _ in by_plan["cycling_records"] if name == "event_page"]
    current_a = np.concatenate([page["cycler_current_ampere"] for page in pages])
    time_s = np.concatenate([page["cycler_test_time_second"] for page in pages])
    assert time_s[-1] == pytest.approx(1200, abs=4)
    assert np.median(current_a) > 0
    assert by_plan["count_frames"][-1][1]["num_events"] == {"primary": 2}
