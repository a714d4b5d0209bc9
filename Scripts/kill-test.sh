#!/usr/bin/env bash
# Kills every verb that writes with kill -9 at random moments: what was committed stays, verify is clean, and the end is that
# of an undisturbed job. 520 kills of build, search, merge, export, gc, backup and upgrade, and 336 of all verbs on a catalog
# under a link; the usual tests do an eighth of that. LINKED=1 runs only those under links. Counts only the signals that ended
# a process at work, and says how many those were.
set -euo pipefail
cd "$(dirname "$0")/.."
suites=KillTests
[ -z "${LINKED:-}" ] || suites=LinkedKillTests
EVODB_KILL_SCALE="${EVODB_KILL_SCALE:-8}" swift test -c release -Xswiftc -enable-testing \
  --scratch-path "${SCRATCH:-.build-test}" --filter "$suites" "$@" |
  awk '{ print } /^kills: / { kills += $2; signals += $4 } END { print "kill-test: " kills " kills by " signals " signals" }'
