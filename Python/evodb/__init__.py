"""Read catalogs of evodb: searched compressions of language models in one SQLite file.

    >>> import evodb
    >>> evodb.query("my.evodb", "results")                              # a documented query
    >>> evodb.query("my.evodb", "convergence", run="run-1")             # with a parameter
    >>> evodb.query("my.evodb", "SELECT * FROM layer_error WHERE bits = :bits", bits=3)
    >>> evodb.views("my.evodb")["run_summary"]                          # columns of a view

``evodb query my.evodb --list`` and docs/queries.md name the documented queries. Everything here only reads; the
command ``evodb`` does the work. No package is needed; with pandas, ``query`` gives a frame.
"""

from __future__ import annotations

import difflib
import math
import os
import re
import sqlite3
from pathlib import Path
from typing import TYPE_CHECKING, Any, Dict, List, NamedTuple, Tuple, Union

if TYPE_CHECKING:
    import pandas

__all__ = ["Query", "connect", "queries", "query", "rows", "views"]

PathLike = Union[str, "os.PathLike[str]"]
#: What a parameter of a query may be.
Value = Union[None, int, float, str, bytes]

#: ``PRAGMA application_id`` of a catalog: "evod".
_APPLICATION_ID = 0x65766F64


class Query(NamedTuple):
    """A documented query: its name, the question it answers, its parameters with their meanings, and its SQL."""

    name: str
    question: str
    parameters: Dict[str, str]
    sql: str


def connect(path: PathLike) -> sqlite3.Connection:
    """A read-only connection to a catalog, also while evodb writes to it. Rows are ``sqlite3.Row``.

    Raises FileNotFoundError if there is no file, and ValueError if it is no catalog.
    """
    file = Path(path)
    if not file.exists():
        raise FileNotFoundError(f"there is no catalog {os.fspath(path)!r}")
    # as_uri writes ?, # and % of a name as a URI needs them; otherwise SQLite would open (and make) another file.
    catalog = sqlite3.connect(file.absolute().as_uri() + "?mode=ro", uri=True)
    try:
        try:
            mark = catalog.execute("PRAGMA application_id").fetchone()[0]
        except sqlite3.DatabaseError as error:
            raise ValueError(f"{os.fspath(path)!r} is no catalog of evodb: {error}") from error
        if mark != _APPLICATION_ID:
            raise ValueError(f"{os.fspath(path)!r} is an SQLite file, but no catalog of evodb")
        catalog.row_factory = sqlite3.Row
        _add_missing_functions(catalog)
    except BaseException:
        catalog.close()
        raise
    return catalog


def query(path: PathLike, name_or_sql: str, /, **parameters: Value) -> "Union[pandas.DataFrame, List[sqlite3.Row]]":
    """The answer of a documented query or of one SQL statement: a pandas frame if pandas is there, else ``rows(…)``.

    A name is a name of ``queries()``, with or without ``@``. Parameters of a documented query that are not given have
    the meaning that its page says; a statement needs all of its own.

    Raises ValueError for an unknown name or parameter, and sqlite3.Error for a statement that SQLite refuses.
    """
    columns, answer = _run(path, name_or_sql, parameters)
    try:
        import pandas
    except ImportError:
        return answer
    return pandas.DataFrame.from_records([tuple(row) for row in answer], columns=columns)


def rows(path: PathLike, name_or_sql: str, /, **parameters: Value) -> List[sqlite3.Row]:
    """The same as a list of rows, whose values are found by name or place: ``row["run"]``, ``row[0]``."""
    return _run(path, name_or_sql, parameters)[1]


def views(path: PathLike) -> Dict[str, List[str]]:
    """The views of a catalog, by name, each with its columns. ``evodb schema`` describes them."""
    catalog = connect(path)
    try:
        names = [row[0] for row in catalog.execute("SELECT name FROM sqlite_schema WHERE type = 'view' ORDER BY name")]
        return {name: [row["name"] for row in catalog.execute("SELECT name FROM pragma_table_info(?)", (name,))] for name in names}
    finally:
        catalog.close()


def queries() -> Dict[str, Query]:
    """The documented queries that this version comes with, by name."""
    return _parse(_queries_file().read_text(encoding="utf-8"))


def _run(path: PathLike, name_or_sql: str, parameters: Dict[str, Value]) -> Tuple[List[str], List[sqlite3.Row]]:
    sql = name_or_sql
    name = name_or_sql.strip()
    values: Dict[str, Any] = dict(parameters)
    if re.fullmatch(r"@?[A-Za-z][A-Za-z0-9_-]*", name):
        documented = queries()
        name = name.removeprefix("@") if hasattr(name, "removeprefix") else name.lstrip("@")
        if name not in documented:
            near = difflib.get_close_matches(name, documented, 1)
            raise ValueError(f"there is no documented query {name!r}" + (f"; did you mean {near[0]!r}?" if near else ""))
        known = documented[name].parameters
        unknown = sorted(set(parameters) - set(known))
        if unknown:
            takes = ", ".join(known) if known else "none"
            raise ValueError(f"query {name!r} has no parameter {unknown[0]!r}; its parameters: {takes}")
        values = {**dict.fromkeys(known), **parameters}
        sql = documented[name].sql
    catalog = connect(path)
    try:
        cursor = catalog.execute(sql, values)
        return [column[0] for column in cursor.description or []], cursor.fetchall()
    finally:
        catalog.close()


def _queries_file() -> Path:
    beside = Path(__file__).with_name("queries.sql")
    # In a checkout the one file lies with the Swift sources; a wheel has a copy.
    return beside if beside.exists() else Path(__file__).parents[2] / "Sources/Catalog/Queries/queries.sql"


def _parse(text: str) -> Dict[str, Query]:
    """Reads the form that the head of queries.sql describes."""
    result: Dict[str, Query] = {}
    for part in re.split(r"^-- @", text, flags=re.MULTILINE)[1:]:
        head, _, body = part.partition("\n")
        name, _, question = head.partition(": ")
        found = re.findall(r"^-- :(\w+) \(\w+\): (.*)$", body, flags=re.MULTILINE)
        sql = "\n".join(line for line in body.splitlines() if not line.startswith("--")).strip()
        result[name] = Query(name, question, dict(found), sql)
    return result


def _add_missing_functions(catalog: sqlite3.Connection) -> None:
    """The views use exp and sqrt, which SQLite has if it was built with SQLITE_ENABLE_MATH_FUNCTIONS."""
    for name in ("exp", "sqrt"):
        try:
            catalog.execute(f"SELECT {name}(1.0)")
        except sqlite3.OperationalError:
            catalog.create_function(name, 1, _nullable(getattr(math, name)), deterministic=True)


def _nullable(function: Any) -> Any:
    def apply(value: Any) -> Any:
        try:
            return None if value is None else function(value)
        except (OverflowError, TypeError, ValueError):
            return None

    return apply
