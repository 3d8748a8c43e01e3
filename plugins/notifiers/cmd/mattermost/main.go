// Command mattermost is the notifier of that name.
package main

import (
	"ferry/plugins/api"
	"ferry/plugins/notifiers/mattermost"
)

var version = "dev" // set by the linker

func main() { api.ServeNotifier(mattermost.New(version)) }
