#!/usr/bin/env python3
"""Packs a release of dist.sh as a Python wheel: make-wheel.py TARBALL [FOLDER]

The wheel (PEP 427) has the program as the command evodb, the module of Python/evodb with the documented queries, manual pages and
licences. Its platform tag (PEP 600) is the C library that the release was measured to need. With SOURCE_DATE_EPOCH, by default the
time of the last commit, the same release gives the same bytes. Needs the standard library only.
"""

from __future__ import annotations

import base64
import hashlib
import io
import os
import re
import subprocess
import sys
import tarfile
import time
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def fail(message: str, code: int = 1) -> "None":
    print(f"make-wheel: {message}", file=sys.stderr)
    raise SystemExit(code)


def epoch() -> int:
    given = os.environ.get("SOURCE_DATE_EPOCH")
    if given:
        return int(given)
    commit = subprocess.run(["git", "-C", ROOT, "log", "-1", "--format=%ct"], capture_output=True, text=True, check=True)
    return int(commit.stdout)


def release_files(tarball: Path) -> "dict[str, bytes]":
    """The files of a release by their path below its folder."""
    files = {}
    with tarfile.open(tarball) as archive:
        for member in archive.getmembers():
            if member.isfile():
                content = archive.extractfile(member)
                assert content is not None
                files[member.name.partition("/")[2]] = content.read()
    return files


def metadata(version: str) -> str:
    readme = (ROOT / "Python/README.md").read_text(encoding="utf-8")
    return f"""Metadata-Version: 2.1
Name: evodb
Version: {version}
Summary: Finds the best non-uniform compression of a language model and keeps everything it computed in one file.
License: Apache-2.0
Requires-Python: >=3.8
Provides-Extra: pandas
Requires-Dist: pandas ; extra == 'pandas'
Classifier: Operating System :: POSIX :: Linux
Classifier: Typing :: Typed
Description-Content-Type: text/markdown

{readme}"""


def main(arguments: "list[str]") -> None:
    if not 1 <= len(arguments) <= 2:
        fail(f"usage: {sys.argv[0]} TARBALL [FOLDER]", 64)
    tarball = Path(arguments[0])
    name = re.fullmatch(r"evodb-([0-9][0-9A-Za-z.+]*)-linux-(\w+)\.tar\.gz", tarball.name)
    if name is None or not tarball.is_file():
        fail(f"{tarball} is no release evodb-VERSION-linux-ARCH.tar.gz; make dist makes one", 66)
    assert name is not None
    version, architecture = name.groups()
    release = release_files(tarball)
    glibc = release["share/doc/evodb/minimum-glibc"].decode().strip()
    tag = f"py3-none-manylinux_{glibc.replace('.', '_')}_{architecture}"

    information = f"evodb-{version}.dist-info"
    files: "dict[str, tuple[bytes, int]]" = {}
    for file in sorted((ROOT / "Python/evodb").glob("*")):
        if file.suffix == ".py" or file.name == "py.typed":
            files[f"evodb/{file.name}"] = (file.read_bytes(), 0o644)
    files["evodb/queries.sql"] = ((ROOT / "Sources/Catalog/Queries/queries.sql").read_bytes(), 0o644)
    files[f"evodb-{version}.data/scripts/evodb"] = (release["bin/evodb"], 0o755)
    for path, content in release.items():
        if path.startswith("share/man/"):
            files[f"evodb-{version}.data/data/{path}"] = (content, 0o644)
        elif path.startswith("share/doc/evodb/licenses/") or path == "share/doc/evodb/LICENSE":
            files[f"{information}/licenses/{path.removeprefix('share/doc/evodb/')}"] = (content, 0o644)
    files[f"{information}/METADATA"] = (metadata(version).encode(), 0o644)
    files[f"{information}/WHEEL"] = (
        f"Wheel-Version: 1.0\nGenerator: evodb make-wheel\nRoot-Is-Purelib: false\nTag: {tag}\n".encode(), 0o644)
    record = ""
    for path in sorted(files):
        digest = base64.urlsafe_b64encode(hashlib.sha256(files[path][0]).digest()).rstrip(b"=").decode()
        record += f"{path},sha256={digest},{len(files[path][0])}\n"
    record += f"{information}/RECORD,,\n"

    folder = Path(arguments[1] if len(arguments) > 1 else tarball.parent)
    folder.mkdir(parents=True, exist_ok=True)
    wheel = folder / f"evodb-{version}-{tag}.whl"
    # A zip file cannot hold earlier times.
    moment = time.gmtime(max(epoch(), 315532800))[:6]
    memory = io.BytesIO()
    with zipfile.ZipFile(memory, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for path in sorted(files) + [f"{information}/RECORD"]:
            content, mode = files.get(path, (record.encode(), 0o644))
            entry = zipfile.ZipInfo(path, moment)
            entry.external_attr = (0o100000 | mode) << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, content)
    new = wheel.with_suffix(".new")
    new.write_bytes(memory.getvalue())
    new.rename(wheel)
    print(wheel)


main(sys.argv[1:])
