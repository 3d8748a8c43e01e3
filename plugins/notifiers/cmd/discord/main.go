// Command discord is the notifier of that name.
package main

import (
	"ferry/plugins/api"
	"ferry/plugins/notifiers/discord"
)

var version = "dev" // set by the linker

func main() { api.ServeNotifier(discord.New(version)) }
