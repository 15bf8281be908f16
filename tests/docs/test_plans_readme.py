"""What the README of the plans folder says: its plan is one, and what it types at the prompt exists."""

import ast
import re
from pathlib import Path

from intercalate.config import EXAMPLES
from intercalate.user_plans import load_user_plans

FOLDER = EXAMPLES / "plans"
ROOT = Path(__file__).parents[2]
BLOCKS = re.findall(r"^```python\n(.*?)^```$", (FOLDER / "README.md").read_text(), re.MULTILINE | re.DOTALL)


def test_the_files_of_the_repository_are_those_that_init_writes() -> None:
    for name in ("README.md", "operando_with_standard.py"):
        assert (ROOT / "plans" / name).read_text() == (FOLDER / name).read_text()


def test_the_plan_that_is_written_down_is_one(tmp_path: Path) -> None:
    _, plan, call = BLOCKS
    (tmp_path / "before_and_after.py").write_text(plan)
    found = load_user_plans(tmp_path)
    assert (list(found.plans), found.refused) == (["before_and_after"], {})
    names = {one.id for one in ast.walk(ast.parse(call)) if isinstance(one, ast.Name)}
    assert names == {"RE", "before_and_after", "cycler", "xrd", "cell", "protocol"}


def test_the_plan_that_comes_with_it_is_one() -> None:
    found = load_user_plans(FOLDER)
    assert (list(found.plans), found.refused) == (["operando_with_standard"], {})
