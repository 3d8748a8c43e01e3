// Command changes is the source of changes to manifests.
package main

import (
	"runtime"

	"ferry/plugins/api"
	"ferry/plugins/sources/changes"
)

var version = "dev" // set by the linker

func main() {
	runtime.GOMAXPROCS(1) // it mostly waits: to wake a second thread costs more than that does
	api.ServeSource(changes.Source{Version: version})
}
