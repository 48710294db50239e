#!/bin/sh
# Runs the tests: those that only compute side by side, then those that judge real media one after the other.
#
# A handful of failures is tried once more, each from the beginning. Many tests judge milliseconds of real media, and
# another tenant of the machine can spoil one of them. What is wrong fails twice; the first failures stay in the
# output, and are named again at the end.
set -eu
cd "$(dirname "$0")/.."
most=5
python=.venv/bin/python
failures=.pytest_cache/v/cache/lastfailed
alone="tests/browser tests/call tests/connectors tests/page tests/scenarios $(echo tests/test_rig_*.py)"

run() {
    code=0
    "$python" -m pytest -v --durations=15 "$@" || code=$?
    # 1 is "some tests failed"; anything else, such as a file that cannot be imported, is no matter of luck.
    [ "$code" -le 1 ] || exit "$code"
    [ "$code" = 0 ] || failed=1
}

rm -f "$failures"
failed=0
# shellcheck disable=SC2046,SC2086  # names without blanks
run --numprocesses=auto --maxprocesses=4 --dist=loadfile $(printf -- '--ignore=%s ' $alone)
# shellcheck disable=SC2086
run $alone
[ "$failed" = 1 ] || exit 0
[ -f "$failures" ] || exit 1
names=$("$python" -c 'import json, sys; print("\n".join(json.load(open(sys.argv[1]))))' "$failures")
count=$(printf '%s\n' "$names" | wc -l)
[ "$count" -le "$most" ] || exit 1
printf '\nOnce more, for %s that failed:\n%s\n\n' "$count" "$names"
"$python" -m pytest -v --last-failed --last-failed-no-failures none
