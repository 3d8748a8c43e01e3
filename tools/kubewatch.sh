#!/bin/sh
# Builds kubewatch, unmodified, as the executable that is given, of a tag that must be
# the commit that is given: its module path is not where it lives, so that no module
# proxy has it. Its source is built outside the repository: nothing of it becomes a
# dependency of ferry. What it depends on comes through the module proxy, as its go.sum
# says. FROM is where to clone it from.
set -eu
tag=$1
commit=$2
out=$3
from=${FROM:-https://github.com/robusta-dev/kubewatch}
go=${GO:-go}
mark="$out.commit"
if [ -x "$out" ] && [ "$(cat "$mark" 2>/dev/null)" = "$commit" ]; then exit 0; fi
source=$(mktemp -d)
trap 'rm -rf "$source"' EXIT
trap 'exit 130' INT TERM

GIT_TERMINAL_PROMPT=0 git -c advice.detachedHead=false clone --quiet --depth 1 --branch "$tag" "$from" "$source"
got=$(git -C "$source" rev-parse HEAD)
[ "$got" = "$commit" ] || { echo "kubewatch $tag is $got, not $commit"; exit 1; }
mkdir -p "$(dirname "$out")"
out=$(cd "$(dirname "$out")" && pwd)/$(basename "$out")
rm -f "$mark"
GOWORK=off "$go" build -C "$source" -mod=readonly -ldflags '-s -w' -o "$out" .
echo "$commit" >"$mark"
echo "built kubewatch $tag"
