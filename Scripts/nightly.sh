#!/usr/bin/env bash
# Runs all tests with a fresh seed, printed first and last; EVODB_TEST_SEED=N repeats a run. Arguments go to swift test.
set -euo pipefail
cd "$(dirname "$0")/.."

# 53 bits: exact in whatever prints or reads it.
export EVODB_TEST_SEED=${EVODB_TEST_SEED:-$(($(od -An -N7 -tu8 /dev/urandom | tr -d ' ') >> 3))}
echo "nightly: EVODB_TEST_SEED=$EVODB_TEST_SEED"
status=0
swift test "$@" || status=$?
if [[ $status -eq 0 ]]; then
  echo "nightly: all tests passed with EVODB_TEST_SEED=$EVODB_TEST_SEED"
else
  echo "nightly: failed; repeat it with: EVODB_TEST_SEED=$EVODB_TEST_SEED make nightly" >&2
fi
exit $status
