#!/bin/sh
# Tries the demo in a real browser: bin/playground and bin/ferry as they are
# built. Ends with "N passed, N failed". SCREENSHOTS=dir makes the README's
# pictures.
set -eu
cd "$(dirname "$0")"
bin=${BIN:-$(pwd)/../../../bin}
# The browser's library is the one of the other checks; nothing is installed twice.
if [ ! -d ../slack/node_modules ] || [ ../slack/package-lock.json -nt ../slack/node_modules ]; then
  (cd ../slack && npm ci --no-audit --no-fund --loglevel=error && touch node_modules)
fi
out=$(mktemp)
plugins=$(mktemp -d)
trap 'rm -rf "$out" "$plugins"' EXIT
# A source that reads events from a file, for what is told of incidents, and a notifier.
(cd ../../testdata/lines && GOWORK=off go build -o "$plugins/lines" .)
(cd ../../../plugins/notifiers && GOWORK=off go build -o "$plugins/webhook-notifier" ./cmd/webhook-notifier)
"$bin/ferry" plugin index "$plugins" >/dev/null
status=0
PLAYGROUND="$bin/playground" FERRY="$bin/ferry" PLUGINS="$plugins" node --test --test-concurrency=1 --test-reporter=spec demo.test.mjs refusals.test.mjs set.test.mjs alerts.test.mjs own.test.mjs >"$out" 2>&1 || status=$?
cat "$out"
count() { awk -v what="$1" '$2 == what { n = $3 } END { print n + 0 }' "$out"; }
echo "$(count pass) passed, $(($(count fail) + $(count cancelled))) failed"
exit "$status"
