import tomllib
from pathlib import Path
from typing import Any

import pytest

from intercalate.config import EXAMPLES, Config, ConfigError, find_config

PROFILES = Path(__file__).parents[2] / "profiles"


def changed(tmp_path: Path, *pairs: tuple[str, str]) -> Path:
    text = (EXAMPLES / "config" / "simulated.toml").read_text()
    for old, new in pairs:
        assert old in text
        text = text.replace(old, new)
    path = tmp_path / "changed.toml"
    path.write_text(text)
    return path


@pytest.mark.parametrize("name", ["simulated.toml", "beamline.toml"])
def test_the_shipped_files_load(name: str) -> None:
    Config.from_file(EXAMPLES / "config" / name)
    assert (PROFILES / "config" / name).samefile(EXAMPLES / "config" / name)


def test_simulated_and_beamline_have_the_same_keys() -> None:
    def keys(content: Any, path: str = "") -> set[str]:
        if not isinstance(content, dict):
            return {path}
        return {leaf for key, value in content.items() for leaf in keys(value, f"{path}.{key}")}

    files = [
        tomllib.loads((EXAMPLES / "config" / f"{n}.toml").read_text()) for n in ("simulated", "beamline")
    ]
    assert keys(files[0]) == keys(files[1])


@pytest.mark.parametrize(
    ("pair", "words"),
    [
        (('on_abort = "rest"', 'on_abort = "burn"'), ("cycler.on_abort", "burn")),
        (("max_current_mA = 100.0", "max_current_mA = 1e9"), ("site.max_current_mA",)),
        (("max_current_mA = 100.0", "max_current_mA = nan"), ("site.max_current_mA",)),
        (("max_current_mA", "max_curent_mA"), ("max_curent_mA", "did you mean max_current_mA")),
        (("port = 8410", "port = 80"), ("catalog.port", "80")),
        (('prefix = "SIM:CYC:"', 'prefix = "SIM:CYC"'), ("cycler.prefix",)),
        (('channel = "CH2"', 'channel = "CH9"'), ("changer.places.H2", "CH9", "CH1, CH2")),
        (("none_below = 0.01", "none_below = 0.6"), ("monitors", "none_below")),
        (('content = "Si"', 'channel = "CH1"\ncontent = "Si"'), ("changer.places.Si", "either channel")),
        (("x_mm = -30.0", "x_mm = -15.0"), ("changer", "'LaB6' and 'Si' are both at x = -15", "its own")),
        (("min_voltage_V = -0.1", "min_voltage_V = 5.0"), ("min_voltage_V",)),
        (("[shutter]", "[shutters]"), ("shutter",)),
        (("info_port = 15073", "info_port = 15072"), ("queue", "three ports")),
        (('redis = "embedded"', 'redis = "rediss://x"'), ("queue.redis", "rediss")),
    ],
)
def test_a_mistake_is_named_with_its_place(
    tmp_path: Path, pair: tuple[str, str], words: tuple[str, ...]
) -> None:
    path = changed(tmp_path, pair)
    with pytest.raises(ConfigError) as refused:
        Config.from_file(path)
    message = str(refused.value)
    assert str(path) in message
    for word in words:
        assert word in message


def test_all_mistakes_are_named_at_once(tmp_path: Path) -> None:
    path = changed(tmp_path, ("port = 8410", "port = 80"), ("lease_s = 15.0", "lease_s = 0.0"))
    with pytest.raises(ConfigError) as refused:
        Config.from_file(path)
    assert len(refused.value.problems) == 2


@pytest.mark.parametrize("text", ["not toml at all [", ""])
def test_what_is_no_configuration_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "broken.toml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=r"broken\.toml"):
        Config.from_file(path)


def test_a_file_that_is_not_there_is_named() -> None:
    with pytest.raises(ConfigError, match="nowhere"):
        Config.from_file("nowhere.toml")


def test_the_storage_folder_is_relative_to_the_file(tmp_path: Path) -> None:
    config = Config.from_file(changed(tmp_path))
    assert config.stored("frames") == tmp_path / ".intercalate" / "frames"


def test_missing_metadata_says_what_to_do(tmp_path: Path) -> None:
    config = Config.from_file(changed(tmp_path))
    with pytest.raises(ConfigError, match="start the simulators first"):
        config.run_metadata()


def test_the_environment_names_the_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INTERCALATE_CONFIG", "somewhere.toml")
    assert find_config(None) == Path("somewhere.toml")
    assert find_config("other.toml") == Path("other.toml")
