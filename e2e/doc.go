// Package e2e proves ferry on the real thing: real clusters with a real Flux (see testbed), a real git repository
// (gitrepo), a Helm repository (charts), and the fleet in testdata/repo that the clusters follow.
//
// The module stands apart from ferry's own because nothing that ferry ships may come to depend on it, and because its
// first run compiles Kubernetes: run `go run ./testbed/cmd/testbed build` once, which the tests' own timeout would cut off.
package e2e
