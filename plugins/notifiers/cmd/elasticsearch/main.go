// Command elasticsearch is the notifier of that name.
package main

import (
	"ferry/plugins/api"
	"ferry/plugins/notifiers/elasticsearch"
)

var version = "dev" // set by the linker

func main() { api.ServeNotifier(elasticsearch.New(version)) }
