// Command events is the source of Kubernetes events and of problems of workloads.
package main

import (
	"ferry/plugins/api"
	"ferry/plugins/sources/events"
)

var version = "dev" // set by the linker

func main() { api.ServeSource(events.Source{Version: version}) }
