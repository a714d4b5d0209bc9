#!/usr/bin/env python3
"""Runs the commands that the README and the tutorial show, in order, and holds what they print against the page.

    Scripts/check-tours.py .build/release/evodb            # README.md and docs/tutorial.md; about ten minutes
    Scripts/check-tours.py .build/release/evodb README.md

The tutorial's model is replaced by the example, as the page says. Lines that the page shows after a command must be in what it prints,
in this order; times, memory and disk of this machine may differ. Everything happens in a temporary folder. Ends with 1 if a command
fails or prints something else.
"""

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
# What a machine may print otherwise.
OWN = re.compile(r"^(seconds|peak_memory_bytes|disk_bytes|activation_bytes) ")
# A page: the part that is a tour, what stands for what, and what the reader has before.
TOURS = {
    "README.md": (
        "## Five minutes",
        [],
        "evodb init hers.evodb --quiet",
    ),
    "docs/tutorial.md": (
        "# Tutorial",
        [("TinyLlama ", "Examples/prose-10m "), ("TinyLlama\n", "Examples/prose-10m\n"), ("--sequence-length 512 ", "")],
        "cp Examples/prose-10m/calibration.txt Examples/prose-10m/validation.txt .",
    ),
}


def is_open(command):
    """Whether a command goes on in the next line: a backslash, or a quote that is not closed."""
    return command.endswith("\\") or command.count('"') % 2 == 1 or command.count("'") % 2 == 1


def steps(page, heading):
    """Commands of evodb in indented blocks, each with the lines that the page shows after it."""
    text = (ROOT / page).read_text(encoding="utf-8")
    text = text[text.index(heading) :]
    if heading.startswith("## "):
        text = text.split("\n## ", 1)[0]
    has_prompts = "    $ evodb" in text
    found = []
    command = shown = None
    for line in text.splitlines():
        if command is not None:
            command += "\n" + line
        elif line.startswith("    "):
            typed = line[4:].removeprefix("$ ")
            if typed.startswith("evodb ") and (not has_prompts or line.startswith("    $ ")):
                command = typed
            elif shown is not None:
                shown.append(line[4:])
        elif line.strip():
            shown = None
        if command is not None and not is_open(command):
            shown = []
            found.append((command, shown))
            command = None
    return found


def main():
    if len(sys.argv) < 2 or not set(sys.argv[2:]) <= set(TOURS):
        sys.exit(f"usage: check-tours.py EVODB [{'|'.join(TOURS)}]…")
    program = Path(sys.argv[1]).resolve()
    failures = 0
    for page in sys.argv[2:] or TOURS:
        heading, replaced, before = TOURS[page]
        with tempfile.TemporaryDirectory() as folder:
            os.symlink(ROOT / "Examples", Path(folder, "Examples"))
            os.mkdir(Path(folder, "bin"))
            os.symlink(program, Path(folder, "bin", "evodb"))
            environment = dict(os.environ, PATH=f"{folder}/bin:{os.environ['PATH']}", TERM="dumb", COLUMNS="200")
            run = lambda command: subprocess.run(
                ["bash", "-c", "set -o pipefail\n" + command], cwd=folder, env=environment, stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            )
            run(before).check_returncode()
            tour = steps(page, heading)
            for command, shown in tour:
                for old, new in replaced:
                    command = (command + "\n").replace(old, new).rstrip("\n")
                result = run(command)
                # `head` closes the pipe before evodb has written all.
                if result.returncode not in (0, 141) and "| head" not in command:
                    failures += 1
                    print(f"{page}: {command}\n  ended with {result.returncode}: {result.stdout.strip()[-400:]}")
                    continue
                printed = iter(line.rstrip() for line in result.stdout.splitlines())
                wanted = [line.rstrip() for line in shown if not OWN.match(line)] if not replaced else []
                missing = next((line for line in wanted if line not in printed), None)
                if missing is not None:
                    failures += 1
                    print(f"{page}: {command}\n  shows   {missing}\n  printed\n{result.stdout}")
            print(f"{page}: {len(tour)} commands")
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
