#!/bin/sh
# Damages catalogs in 2,035 random ways and saves them: what is saved passes verify, saving it again changes nothing, and it
# can be merged. Prints what was kept of each kind of damage. The usual tests do the same 55 times; EVODB_TEST_SEED chooses
# other cases.
set -eu
cd "$(dirname "$0")/.."
EVODB_DAMAGE_SCALE=37 swift test -c release -Xswiftc -enable-testing --scratch-path "${SCRATCH:-.build-test}" \
  --filter SalvagePropertyTests "$@"
