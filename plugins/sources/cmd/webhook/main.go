// Command webhook is the source of what others post.
package main

import (
	"runtime"

	"ferry/plugins/api"
	"ferry/plugins/sources/webhook"
)

var version = "dev" // set by the linker

func main() {
	runtime.GOMAXPROCS(1) // it mostly waits: to wake a second thread costs more than that does
	api.ServeSource(webhook.Source{Version: version})
}
