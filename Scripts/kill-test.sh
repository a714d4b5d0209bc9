#!/bin/sh
# Kills build, search, merge, export, gc and backup with kill -9 at random moments, 400 times in all: what was committed
# stays, verify is clean, and the end is that of an undisturbed job. The usual tests do the same 50 times.
set -eu
cd "$(dirname "$0")/.."
EVODB_KILL_SCALE=8 swift test -c release -Xswiftc -enable-testing --scratch-path "${SCRATCH:-.build-test}" \
  --filter KillTests "$@"
