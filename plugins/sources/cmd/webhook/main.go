// Command webhook is the source of what others post.
package main

import (
	"ferry/plugins/api"
	"ferry/plugins/sources/webhook"
)

var version = "dev" // set by the linker

func main() { api.ServeSource(webhook.Source{Version: version}) }
