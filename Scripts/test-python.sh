#!/usr/bin/env bash
# Runs the tests of the Python module on the checked-in catalog. Without Python 3.8 or pytest it says what did not run, and succeeds:
# nobody needs Python to change the Swift part.
set -euo pipefail
cd "$(dirname "$0")/.."

skip() {
  printf 'test-python: SKIPPED, the Python module is not tested: %s\n' "$*" >&2
  exit 0
}

command -v python3 >/dev/null || skip "there is no python3"
python3 -c 'import sys; sys.exit(sys.version_info < (3, 8))' || skip "$(python3 --version) is older than 3.8"
python3 -c 'import pytest' 2>/dev/null || skip "there is no pytest (pip install pytest)"
exec python3 -m pytest -q -p no:cacheprovider Python/tests
