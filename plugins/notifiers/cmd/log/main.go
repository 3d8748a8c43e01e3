// Command log is the notifier of that name.
package main

import (
	"ferry/plugins/api"
	"ferry/plugins/notifiers/jsonlog"
)

var version = "dev" // set by the linker

func main() { api.ServeNotifier(jsonlog.New(version)) }
