"""Lines of keys in TOML files, and in what a configuration is refused with."""

import tomllib
from pathlib import Path

import pytest
import tomli_w
from hypothesis import given
from hypothesis import strategies as st

from intercalate.config import EXAMPLES, Config, ConfigError
from intercalate.toml_lines import lines_of

WORD = st.text("abcxyz_1", min_size=1, max_size=6)
LEAF = st.integers() | st.text(max_size=8) | st.lists(st.integers(), max_size=3)
TABLES = st.recursive(LEAF, lambda inner: st.dictionaries(WORD, inner, max_size=3), max_leaves=8)


@given(st.dictionaries(WORD, TABLES, min_size=1, max_size=4))
def test_every_key_is_found_where_it_stands(content: dict) -> None:
    text = tomli_w.dumps(content)
    lines = text.splitlines()

    def check(table: dict, path: str) -> None:
        for key, value in table.items():
            here = f"{path}.{key}" if path else key
            if isinstance(value, dict):
                check(value, here)
            else:
                assert lines[lines_of(text)[here] - 1].startswith(f"{key} =")

    check(content, "")


@pytest.mark.parametrize("name", ["simulated.toml", "beamline.toml", "simulation.toml"])
def test_the_lines_of_the_shipped_files_are_those_of_their_keys(name: str) -> None:
    text = (EXAMPLES / "config" / name).read_text()
    found = lines_of(text)
    for table, content in tomllib.loads(text).items():
        for key in content if isinstance(content, dict) else ():
            line = text.splitlines()[found[f"{table}.{key}"] - 1]
            assert key in line


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("lease_s = 15.0", "lease_s = 0.0", "lease_s = 0.0"),
        ("lease_s = 15.0", "lease_S = 15.0", "lease_S = 15.0"),
        ("lease_s = 15.0\n", "", "[cycler]"),
        ("max_current_mA = 100.0", "max_current_mA = 1e9", "max_current_mA = 1e9"),
        ("min_voltage_V = -0.1", "min_voltage_V = 5.0", "min_voltage_V = 5.0"),
    ],
)
def test_a_refused_configuration_names_the_line(tmp_path: Path, old: str, new: str, said: str) -> None:
    text = (EXAMPLES / "config" / "simulated.toml").read_text()
    assert old in text
    path = tmp_path / "changed.toml"
    path.write_text(text.replace(old, new, 1))
    with pytest.raises(ConfigError) as refused:
        Config.from_file(path)
    number = path.read_text().splitlines().index(said) + 1
    assert f"line {number}: " in str(refused.value)
