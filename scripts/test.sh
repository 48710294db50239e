#!/bin/sh
# Runs the tests. A handful of failures is tried once more, each from the beginning.
#
# Many tests judge milliseconds of real media, and another tenant of the machine can spoil one of them. What is wrong
# fails twice; the first failures stay in the output, and are named again at the end.
set -eu
cd "$(dirname "$0")/.."
most=5
python=.venv/bin/python
failures=.pytest_cache/v/cache/lastfailed

rm -f "$failures"
code=0
"$python" -m pytest -v --durations=15 "$@" || code=$?
# 1 is "some tests failed"; anything else, such as a file that cannot be imported, is no matter of luck.
[ "$code" = 1 ] || exit "$code"
[ -f "$failures" ] || exit "$code"
names=$("$python" -c 'import json, sys; print("\n".join(json.load(open(sys.argv[1]))))' "$failures")
count=$(printf '%s\n' "$names" | wc -l)
if [ "$count" -gt "$most" ]; then
    exit "$code"
fi
printf '\nOnce more, for %s that failed:\n%s\n\n' "$count" "$names"
"$python" -m pytest -v --last-failed --last-failed-no-failures none "$@"
