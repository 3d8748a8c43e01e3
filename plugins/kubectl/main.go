// Command kubectl is the executor of that name: a plugin of ferry's with kubectl's
// own library compiled in, in a module of its own, so that neither the library nor
// what it needs is ever built with ferry. Started by ferry it serves the executor;
// started by itself, with one argument, it is a child that runs one line on one
// cluster.
package main

import (
	"fmt"
	"os"
	"runtime"

	"ferry/plugins/api"
	"ferry/plugins/kubectl/child"
	"ferry/plugins/kubectl/executor"
)

var version = "dev" // set by the linker

func main() {
	if len(os.Args) == 2 && os.Args[1] == child.Arg {
		os.Exit(child.Main())
	}
	self, err := program()
	if err != nil {
		fmt.Fprintln(os.Stderr, "find this program, to start it for each line:", err)
		os.Exit(1)
	}
	api.ServeExecutor(executor.New(self, version))
}

// program is what runs here: on Linux the very bytes, whatever has become of the
// file since its checksum was taken.
func program() (string, error) {
	if runtime.GOOS == "linux" {
		return "/proc/self/exe", nil
	}
	return os.Executable()
}
