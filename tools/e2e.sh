#!/bin/sh
# Runs the end-to-end tests and ends with what they counted, "N passed, N failed",
# which go test would bury below its own last lines. GO names the go command.
set -u
cd "$(dirname "$0")/../e2e" || exit 1
: "${GO:=go}"
log=$(mktemp)
trap 'rm -f "$log" "$log.code"' EXIT INT TERM
"$GO" run ./testbed/cmd/testbed build || exit 1
{
	"$GO" test -count=1 -timeout 30m $("$GO" list ./... | grep -v '^ferry/e2e$') &&
		"$GO" test -count=1 -timeout 30m -v . "$@"
	echo $? >"$log.code"
} 2>&1 | tee "$log"
grep -E '^[0-9]+ passed, [0-9]+ failed$' "$log" | tail -n 1
exit "$(cat "$log.code")"
