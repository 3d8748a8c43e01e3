// Command flux is the executor of that name: a plugin of ferry's that asks clusters
// about Flux's objects, and Flux to look at them, to leave them alone, or to go on.
// It is a module of its own, so that client-go's dynamic client is not built with
// ferry for it; of the kubectl executor it has rules, guard and wall, and nothing of
// kubectl's library.
package main

import (
	"ferry/plugins/api"
	"ferry/plugins/flux/executor"
)

var version = "dev" // set by the linker

func main() { api.ServeExecutor(executor.New(version)) }
