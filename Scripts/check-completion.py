#!/usr/bin/env python3
"""Types command lines and tabs into real shells, and looks at what they make of them: check-completion.py EVODB

Each shell that is there (bash, zsh, fish) runs on a terminal of its own, without anybody's settings, with the completion that
`evodb help --completion` writes and a catalog whose names need quoting. Ends with 1 if a shell completes otherwise.
"""

import fcntl
import os
import pty
import re
import select
import shutil
import sqlite3
import struct
import subprocess
import sys
import tempfile
import termios
import time
from pathlib import Path

SETUP = {
    "bash": (["bash", "--norc", "--noprofile", "-i"], 'source <(evodb help --completion bash)'),
    "zsh": (["zsh", "-f", "-i"], 'autoload -Uz compinit && compinit -u -d zcompdump && source <(evodb help --completion zsh)'),
    "fish": (["fish", "--no-config", "-i"], "evodb help --completion fish | source"),
}
# What is typed before a tab, and what must stand on the line then.
CASES = [
    ("evodb stat", "evodb status "),
    ("evodb search --maximum-sw", "evodb search --maximum-switches "),
    ("evodb query c.evodb --format js\t", "json"),
    ("evodb status c.ev", "evodb status c.evodb "),
    ("evodb show c.evodb pla", "evodb show c.evodb plain "),
    ("evodb show c.evodb my", r"evodb show c.evodb (my\\ run|'my run'|\"my run\") "),
    ("evodb search c.evodb --data cal", "evodb search c.evodb --data calibration "),
    ("evodb search c.evodb --data=cal", "evodb search c.evodb --data=calibration "),
    ("evodb query c.evodb @conv", "evodb query c.evodb @convergence "),
]
CONTROLS = re.compile(r"\x1b\[[0-9;?<>=]*[a-zA-Z]|\x1b[()][AB0]|\x1b[=>]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|[\x07\x08\r]|\x0f")


class Terminal:
    def __init__(self, arguments, folder, environment):
        self.process, self.descriptor = pty.fork()
        if self.process == 0:
            os.chdir(folder)
            os.execvpe(arguments[0], arguments, environment)
        fcntl.ioctl(self.descriptor, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 120, 0, 0))
        self.text = ""

    def send(self, text):
        os.write(self.descriptor, text.encode())

    def wait(self, pattern, seconds=60.0):
        """Reads until the pattern is there; whether it came."""
        end = time.monotonic() + seconds
        while not re.search(pattern, CONTROLS.sub("", self.text)):
            if time.monotonic() > end:
                return False
            if select.select([self.descriptor], [], [], 0.1)[0]:
                try:
                    part = os.read(self.descriptor, 65536).decode("utf-8", "replace")
                except OSError:
                    return False
                self.text += part
                # fish asks the terminal what it is, and waits for an answer.
                if "\x1b[c" in part or "\x1b[0c" in part:
                    self.send("\x1b[?62c")
        return True

    def close(self):
        os.kill(self.process, 9)
        os.waitpid(self.process, 0)
        os.close(self.descriptor)


def make_catalog(evodb, folder):
    """A searched catalog would take long; names are all that is asked for."""
    subprocess.run([evodb, "init", "c.evodb", "--quiet"], cwd=folder, check=True)
    names = sqlite3.connect(folder / "c.evodb")
    names.execute("PRAGMA foreign_keys = OFF")

    def insert(table, **given):
        columns = names.execute("SELECT name, type, \"notnull\" FROM pragma_table_info(?)", (table,)).fetchall()
        row = {}
        for column, kind, needed in columns:
            if column in given:
                row[column] = given[column]
            elif needed:
                digest = (table + given["name"]).encode().ljust(32, b".")[:32]
                row[column] = {"TEXT": given["name"], "BLOB": digest}.get(kind, 1)
        marks = ", ".join("?" * len(row))
        names.execute(f"INSERT INTO {table} ({', '.join(row)}) VALUES ({marks})", list(row.values()))

    for name in ("calibration", "validation"):
        insert("data_set", name=name)
    for name in ("plain", "my run"):
        insert("run", name=name, state="open", recipe="{}", strategy="guided")
    names.commit()
    names.close()


def main():
    if len(sys.argv) != 2:
        print(__doc__.splitlines()[0], file=sys.stderr)
        raise SystemExit(64)
    evodb = os.path.abspath(sys.argv[1])
    failures = 0
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        (folder / "bin").mkdir()
        (folder / "bin/evodb").symlink_to(evodb)
        make_catalog(evodb, folder)
        environment = {
            "PATH": f"{folder}/bin:/usr/bin:/bin", "HOME": temporary, "TERM": "xterm", "PS1": "READY ", "LANG": "C.UTF-8",
        }
        for shell, (arguments, setup) in SETUP.items():
            if shutil.which(shell) is None:
                print(f"{shell}: SKIPPED, it is not there")
                continue
            terminal = Terminal(arguments, folder, environment)
            terminal.send(f"{setup}; echo SETUP-$((40 + 2))\n" if shell != "fish" else f"{setup}; echo SETUP-(math 40 + 2)\n")
            if not terminal.wait("SETUP-42"):
                print(f"{shell}: FAILED, it did not begin:\n{terminal.text}")
                failures += 1
                terminal.close()
                continue
            failed = []
            for typed, expected in CASES:
                terminal.text = ""
                terminal.send(typed + "\t")
                if not terminal.wait(expected, 60):
                    failed.append(f"  {typed!r} became {CONTROLS.sub('', terminal.text)!r}, not {expected!r}")
                # ^U empties the line in all three, without a new prompt to wait for.
                terminal.send("\x15")
            terminal.close()
            print(f"{shell}: {len(CASES) - len(failed)} of {len(CASES)} lines as expected")
            if failed:
                print("\n".join(failed))
                failures += 1
    raise SystemExit(1 if failures else 0)


main()
