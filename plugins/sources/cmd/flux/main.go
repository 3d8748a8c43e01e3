// Command flux is the source of what becomes of Flux's objects.
package main

import (
	"ferry/plugins/api"
	"ferry/plugins/sources/flux"
)

var version = "dev" // set by the linker

func main() { api.ServeSource(flux.Source{Version: version}) }
