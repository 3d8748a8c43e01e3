#!/bin/sh
# Runs a command in each of ferry's modules: the root, and all below plugins/ but for the
# examples, which a test builds. It goes on after a failure, so that all are told, and
# fails then.
set -u
cd "$(dirname "$0")/.." || exit 1
failed=""
for module in . $(find plugins -name go.mod -not -path '*/testdata/*' | sed 's,/go\.mod$,,' | sort); do
	echo "== $module"
	(cd "$module" && "$@") || failed="$failed $module"
done
[ -z "$failed" ] || { echo "failed in:$failed"; exit 1; }
