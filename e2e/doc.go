// Package e2e proves ferry on the real thing: real clusters with a real Flux (see testbed), which follow a repository
// that the local GitHub serves (testdata/repo is what it holds) and charts from a Helm repository and an OCI registry
// (charts). The people are in the local Slack. In the middle stands ferry, the binary that its users get, configured as they would.
//
//   - TestTestbed proves the ground without ferry, and says what a change costs by hand.
//   - TestScenarios runs the conversations in testdata/scenarios, one after the other on one pair of clusters. Each has a
//     Slack, a ferry and a state file of its own, and what it changed in Git is taken back when it ends. The commands a
//     script may use are told at slackCmd, gitCmd, githubCmd, outsiderCmd, clusterCmd and ferryCmd. The run ends with
//     how many passed and failed, alone on a line.
//   - TestFleetConformance holds package k8s against a real API server.
//   - TestPromotionLatency measures a promotion beside its floor and asserts nothing.
//
// Set FERRY_E2E_LOGS to a folder to keep the logs of clusters and of each ferry. What a script finds is what holds at
// that moment, or it waits for a condition with a deadline; nothing sleeps.
//
// The module stands apart from ferry's own because nothing that ferry ships may come to depend on it, and because its
// first run compiles Kubernetes: run `go run ./testbed/cmd/testbed build` once, which the tests' own timeout would cut off.
package e2e
