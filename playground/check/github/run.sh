#!/bin/sh
# Judges the local GitHub with Octokit, GitHub's OpenAPI description and GitHub's GraphQL schema.
# Ends with "N passed, N failed"; the status is that of the check.
set -eu
cd "$(dirname "$0")"
if ! cmp -s package-lock.json node_modules/.checked; then
	npm ci --no-audit --no-fund --loglevel=error
	cp package-lock.json node_modules/.checked
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
(cd ../../.. && go build -o "$work/server" ./playground/check/github/server)
status=0
GITHUB_SERVER="$work/server" node --test --test-reporter=tap ./*.test.mjs >"$work/tap" || status=$?
cat "$work/tap"
awk '/^# pass /{p=$3} /^# fail /{f=$3} /^# cancelled /{f+=$3} END{printf "%d passed, %d failed\n", p, f}' "$work/tap"
exit "$status"
