// Command webhook is the notifier of that name.
package main

import (
	"ferry/plugins/api"
	"ferry/plugins/notifiers/webhook"
)

var version = "dev" // set by the linker

func main() { api.ServeNotifier(webhook.New(version)) }
