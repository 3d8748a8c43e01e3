#!/bin/sh
# Runs the checks of the local Slack: Slack's own SDK in Socket Mode, and the
# page in a real browser. Ends with "N passed, N failed".
set -eu
cd "$(dirname "$0")"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
if [ ! -d node_modules ] || [ package-lock.json -nt node_modules ]; then
  npm ci --no-audit --no-fund --loglevel=error
  touch node_modules
fi
go build -o "$work/server" ./server
status=0
SLACK_SERVER="$work/server" node --test --test-concurrency=1 --test-reporter=spec "$@" >"$work/out" 2>&1 || status=$?
cat "$work/out"
count() { awk -v what="$1" '$2 == what { n = $3 } END { print n + 0 }' "$work/out"; }
echo "$(count pass) passed, $(($(count fail) + $(count cancelled))) failed"
exit "$status"
