"""Tests of the module on the catalog that the Swift tests use too: python3 -m pytest Python/tests"""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import evodb

ROOT = Path(__file__).parents[2]
FIXTURE = ROOT / "Tests/Fixtures/catalogs/v1.evodb"


@pytest.fixture
def catalog(tmp_path: Path) -> Path:
    return Path(shutil.copy(FIXTURE, tmp_path / "c.evodb"))


def test_a_connection_only_reads(catalog: Path) -> None:
    connection = evodb.connect(catalog)
    assert connection.execute("SELECT count(*) FROM run").fetchone()[0] > 0
    with pytest.raises(sqlite3.OperationalError, match="readonly"):
        connection.execute("DELETE FROM run")
    connection.close()


@pytest.mark.parametrize("name", ["we?ird#name%.evodb", "with space.evodb", "ä'\"; DROP.evodb", "%41.evodb"])
def test_any_name_opens_the_file_it_names(catalog: Path, name: str) -> None:
    other = catalog.rename(catalog.with_name(name))
    before = sorted(other.parent.iterdir())
    assert evodb.rows(other, "SELECT name FROM run")
    assert sorted(other.parent.iterdir()) == before


def test_a_relative_path_is_taken_from_the_working_folder(catalog: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(catalog.parent)
    assert evodb.rows("c.evodb", "SELECT 1 AS one")[0]["one"] == 1


def test_what_is_no_catalog_is_refused_and_nothing_is_made(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="no catalog"):
        evodb.connect(tmp_path / "missing.evodb")
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "text").write_text("no database, but long enough to be read as the head of one" * 20)
    with pytest.raises(ValueError, match="no catalog"):
        evodb.connect(tmp_path / "text")
    sqlite3.connect(tmp_path / "other.db").execute("CREATE TABLE t (x)").connection.close()
    with pytest.raises(ValueError, match="no catalog"):
        evodb.connect(tmp_path / "other.db")


def test_every_documented_query_is_known_by_its_name_question_and_parameters() -> None:
    text = (ROOT / "Sources/Catalog/Queries/queries.sql").read_text(encoding="utf-8")
    queries = evodb.queries()
    assert len(queries) == text.count("\n-- @") > 20
    assert queries["runs"].question.endswith("?")
    assert "run" in queries["convergence"].parameters
    assert all(query.sql.rstrip().endswith(";") for query in queries.values())


def test_every_documented_query_that_fits_the_old_schema_answers(catalog: Path) -> None:
    views = evodb.views(catalog)
    answered = 0
    for name in evodb.queries():
        try:
            evodb.rows(catalog, name)
            answered += 1
        except sqlite3.OperationalError as error:
            # The fixture is of an older version, whose views lack some columns.
            assert "no such" in str(error), f"{name}: {error}"
    assert views and answered > 0


def test_parameters_are_bound_by_name(catalog: Path) -> None:
    rows = evodb.rows(catalog, "SELECT :a + :b AS total, :text AS text", a=1, b=2, text="it's")
    assert tuple(rows[0]) == (3, "it's")
    assert evodb.rows(catalog, "  SELECT 1\n")[0][0] == 1


def test_unknown_names_and_parameters_are_told_with_the_known_ones(catalog: Path) -> None:
    with pytest.raises(ValueError, match="did you mean 'runs'"):
        evodb.query(catalog, "run")
    with pytest.raises(ValueError, match="no parameter 'rum'; its parameters: .*run"):
        evodb.query(catalog, "@convergence", rum="run-1")
    with pytest.raises(sqlite3.Error):
        evodb.query(catalog, "SELECT nothing FROM nowhere")


def test_views_are_listed_with_their_columns(catalog: Path) -> None:
    views = evodb.views(catalog)
    assert "run_summary" in views and "run" in views["run_summary"]
    assert list(views) == sorted(views)


def test_a_frame_comes_if_pandas_is_there(catalog: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Frame:
        @staticmethod
        def from_records(records: list, columns: list) -> tuple:
            return columns, records

    class Pandas:
        DataFrame = Frame

    monkeypatch.setitem(sys.modules, "pandas", Pandas)
    assert evodb.query(catalog, "SELECT 1 AS a, 'x' AS b") == (["a", "b"], [(1, "x")])
    monkeypatch.setitem(sys.modules, "pandas", None)
    answer = evodb.query(catalog, "SELECT 1 AS a, 'x' AS b")
    assert [tuple(row) for row in answer] == [(1, "x")]


def test_an_sqlite_without_mathematics_gets_it(catalog: Path) -> None:
    connection = evodb.connect(catalog)
    assert connection.execute("SELECT exp(0.0), sqrt(4.0), sqrt(NULL)").fetchone()[:] == (1.0, 2.0, None)
    connection.close()
    assert evodb._nullable(lambda x: x / 0 if x else 1.0)(None) is None


def test_a_wheel_holds_the_module_the_queries_and_the_program(tmp_path: Path) -> None:
    release = tmp_path / "evodb-9.8.7-linux-x86_64"
    (release / "bin").mkdir(parents=True)
    (release / "bin/evodb").write_text("#!/bin/sh\necho evodb 9.8.7\n")
    documents = release / "share/doc/evodb"
    (documents / "licenses").mkdir(parents=True)
    (documents / "minimum-glibc").write_text("2.31\n")
    (documents / "LICENSE").write_text("licence")
    (documents / "licenses/SQLite.txt").write_text("blessing")
    (release / "share/man/man1").mkdir(parents=True)
    (release / "share/man/man1/evodb.1.gz").write_bytes(b"")
    tarball = tmp_path / "evodb-9.8.7-linux-x86_64.tar.gz"
    subprocess.run(["tar", "czf", tarball, "-C", tmp_path, release.name], check=True)
    built = []
    for folder in ("one", "two"):
        subprocess.run(
            [sys.executable, ROOT / "Packaging/make-wheel.py", tarball, tmp_path / folder], check=True,
            env={"SOURCE_DATE_EPOCH": "1000000000", "PATH": "/usr/bin:/bin"})
        built.append(tmp_path / folder / "evodb-9.8.7-py3-none-manylinux_2_31_x86_64.whl")
    assert built[0].read_bytes() == built[1].read_bytes()
    wheel = zipfile.ZipFile(built[0])
    names = wheel.namelist()
    for name in ["evodb/__init__.py", "evodb/py.typed", "evodb/queries.sql", "evodb-9.8.7.data/scripts/evodb",
                 "evodb-9.8.7.dist-info/METADATA", "evodb-9.8.7.dist-info/licenses/licenses/SQLite.txt"]:
        assert name in names, name
    assert names[-1] == "evodb-9.8.7.dist-info/RECORD"
    record = wheel.read(names[-1]).decode().splitlines()
    assert len(record) == len(names)
    assert wheel.getinfo("evodb-9.8.7.data/scripts/evodb").external_attr >> 16 & 0o111 == 0o111
