// Command events is the source of Kubernetes events and of problems of workloads.
package main

import (
	"runtime"

	"ferry/plugins/api"
	"ferry/plugins/sources/events"
)

var version = "dev" // set by the linker

func main() {
	runtime.GOMAXPROCS(1) // it mostly waits: to wake a second thread costs more than that does
	api.ServeSource(events.Source{Version: version})
}
