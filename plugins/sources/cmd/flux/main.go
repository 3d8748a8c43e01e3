// Command flux is the source of what becomes of Flux's objects.
package main

import (
	"runtime"

	"ferry/plugins/api"
	"ferry/plugins/sources/flux"
)

var version = "dev" // set by the linker

func main() {
	runtime.GOMAXPROCS(1) // it mostly waits: to wake a second thread costs more than that does
	api.ServeSource(flux.Source{Version: version})
}
