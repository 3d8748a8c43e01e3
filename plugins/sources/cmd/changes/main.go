// Command changes is the source of changes to manifests.
package main

import (
	"ferry/plugins/api"
	"ferry/plugins/sources/changes"
)

var version = "dev" // set by the linker

func main() { api.ServeSource(changes.Source{Version: version}) }
