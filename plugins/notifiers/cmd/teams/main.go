// Command teams is the notifier of that name.
package main

import (
	"ferry/plugins/api"
	"ferry/plugins/notifiers/teams"
)

var version = "dev" // set by the linker

func main() { api.ServeNotifier(teams.New(version)) }
