#!/usr/bin/env python3
"""Runs the views of a catalog in DuckDB and compares what they give with SQLite.

    pip install duckdb
    Scripts/check-duckdb.py my.evodb

The tables are copied into a DuckDB in memory, so that DuckDB's sqlite extension is not needed; the views are made there from
their own SQL. Exits 1 if a view that should run does not, or gives something else.
"""

import math
import re
import sqlite3
import sys

import duckdb

# Views that DuckDB cannot run as they are, and why.
KNOWN = {}


def tables(source):
    return [row[0] for row in source.execute("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY rowid")]


def copy(source, target, table):
    columns = source.execute(f"SELECT name, type FROM pragma_table_info('{table}') ORDER BY cid").fetchall()
    types = {"INTEGER": "BIGINT", "REAL": "DOUBLE", "TEXT": "VARCHAR", "BLOB": "BLOB"}
    declared = ", ".join(f'"{name}" {types[kind]}' for name, kind in columns)
    target.execute(f'CREATE TABLE "{table}" ({declared})')
    rows = source.execute(f'SELECT * FROM "{table}"').fetchall()
    if rows:
        target.executemany(f'INSERT INTO "{table}" VALUES ({", ".join("?" * len(columns))})', rows)


def plain(value):
    """A value without the types that only one of the two has."""
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, (int, float)) or value is None:
        return value
    try:
        number = float(value)
        return int(number) if number.is_integer() else number
    except (TypeError, ValueError):
        return str(value).strip('"')


def equal(a, b):
    a, b = plain(a), plain(b)
    if isinstance(a, (int, float)) and isinstance(b, (int, float)):
        return math.isclose(a, b, rel_tol=1e-9, abs_tol=1e-12)
    return a == b


def key(row):
    return [re.sub(r"\.0$", "", f"{plain(v):.6g}") if isinstance(plain(v), float) else str(plain(v)) for v in row]


def main(path):
    source = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    target = duckdb.connect()
    for table in tables(source):
        copy(source, target, table)
    views = source.execute("SELECT name, sql FROM sqlite_schema WHERE type = 'view' ORDER BY rowid").fetchall()
    failures = 0
    for name, sql in views:
        expected = source.execute(f"SELECT * FROM {name}").fetchall()
        try:
            target.execute(sql)
            found = target.execute(f"SELECT * FROM {name}").fetchall()
        except duckdb.Error as error:
            note = KNOWN.get(name)
            print(f"{name}: {'known: ' + note if note else 'ERROR ' + str(error)[:300]}")
            failures += note is None
            continue
        pairs = list(zip(sorted(expected, key=key), sorted(found, key=key)))
        wrong = [(a, b) for a, b in pairs if not all(equal(x, y) for x, y in zip(a, b))]
        if len(expected) != len(found) or wrong:
            print(f"{name}: {len(expected)} rows in SQLite, {len(found)} in DuckDB; {wrong[:1]}")
            failures += 1
        else:
            print(f"{name}: {len(found)} equal rows")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
