"""What the server writes before it serves: key, profile, configuration, databases."""

import socket
import sqlite3
import stat
from pathlib import Path

import pytest
import yaml
from tiled.config import Config

from intercalate.catalog.server import (
    CatalogServerError,
    api_key,
    catalog_uri,
    main,
    prepare_storage,
    server_config,
    write_profile,
)

# Of Tiled's own template of a configuration of alembic.
pytestmark = pytest.mark.filterwarnings("ignore:No path_separator found:DeprecationWarning")


def test_the_key_is_made_once_and_for_its_owner_only(tmp_path: Path) -> None:
    key = api_key(tmp_path)
    assert len(key) == 64
    assert api_key(tmp_path) == key
    assert stat.S_IMODE((tmp_path / "api_key").stat().st_mode) == 0o600
    assert catalog_uri(tmp_path, 8410) == f"http://127.0.0.1:8410/api/v1?api_key={key}"


def test_the_profile_is_one_that_tiled_accepts(tmp_path: Path) -> None:
    from tiled.profiles import gather_profiles

    path = write_profile("lab", "http://127.0.0.1:1/api/v1?api_key=x", folder=tmp_path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    (level,) = gather_profiles([tmp_path])
    assert level[path] == {"lab": {"uri": "http://127.0.0.1:1/api/v1?api_key=x"}}
    write_profile("lab", "http://127.0.0.1:2/api/v1", folder=tmp_path)
    assert yaml.safe_load(path.read_text())["lab"]["uri"].startswith("http://127.0.0.1:2")


def test_a_profile_that_another_file_has_is_not_written_twice(tmp_path: Path) -> None:
    (tmp_path / "mine.yml").write_text("lab:\n  uri: http://elsewhere\n")
    with pytest.raises(CatalogServerError, match=r"mine\.yml has a profile named 'lab' too"):
        write_profile("lab", "http://127.0.0.1:1", folder=tmp_path)


def test_tiled_accepts_the_configuration(tmp_path: Path) -> None:
    prepare_storage(tmp_path)
    config = Config.model_validate(server_config(tmp_path, readable=[tmp_path / "frames"]))
    assert config.streaming_cache is not None
    assert config.streaming_cache.uri == "memory"
    assert config.trees is not None
    arguments = config.trees[0].args or {}
    assert arguments["specs"] == [{"name": "CatalogOfBlueskyRuns", "version": "3.0"}]


def test_postgresql_is_a_uri_and_nothing_else(tmp_path: Path) -> None:
    uri = "postgresql://someone@db.example/catalog"
    (tree,) = server_config(tmp_path, database=uri)["trees"]
    assert tree["args"]["uri"] == uri
    assert tree["args"]["writable_storage"] == [str(tmp_path / "arrays"), uri]


def test_both_databases_are_in_write_ahead_mode(tmp_path: Path) -> None:
    prepare_storage(tmp_path)
    prepare_storage(tmp_path)
    for name in ("catalog.db", "tables.db"):
        connection = sqlite3.connect(tmp_path / name)
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        connection.close()


def test_a_catalog_of_another_version_is_refused(tmp_path: Path) -> None:
    prepare_storage(tmp_path)
    connection = sqlite3.connect(tmp_path / "catalog.db")
    connection.execute("UPDATE alembic_version SET version_num = '0123456789ab'")
    connection.commit()
    connection.close()
    with pytest.raises(CatalogServerError, match="another version of Tiled"):
        prepare_storage(tmp_path)


def test_a_port_that_is_taken_is_named(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        assert main(["--folder", str(tmp_path), "--port", str(port)]) == 1
    assert f"port {port} on 127.0.0.1 is taken" in capfd.readouterr().err
    assert not (tmp_path / "server.json").exists()
