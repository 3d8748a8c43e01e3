#!/bin/sh
# Builds Botkube's own plugins, unmodified, of the version that is given, into the
# folder that is given, as <type>_<name>. Their source comes through the module proxy,
# checked by the checksum database, and is built outside the repository: nothing of it
# becomes a dependency of ferry. What they depend on is what their go.sum says.
set -eu
version=$1
out=$2
go=${GO:-go}
source=$(mktemp -d)
trap 'chmod -R u+w "$source"; rm -rf "$source"' EXIT
trap 'exit 130' INT TERM

cached=$(cd "$source" && "$go" mod download -json "github.com/kubeshop/botkube@$version" | sed -n 's/^\t"Dir": "\(.*\)",$/\1/p')
[ -d "$cached" ] || { echo "github.com/kubeshop/botkube@$version cannot be got"; exit 1; }
cp -R "$cached/." "$source"
chmod -R u+w "$source"
mkdir -p "$out"
out=$(cd "$out" && pwd)
for main in "$source"/cmd/executor/*/ "$source"/cmd/source/*/; do
	name=$(basename "$main") kind=$(basename "$(dirname "$main")")
	"$go" build -C "$source" -ldflags '-s -w' -o "$out/${kind}_$name" "./cmd/$kind/$name"
	echo "built ${kind}_$name of Botkube $version"
done
