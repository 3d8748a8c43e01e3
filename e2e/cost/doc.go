// Package cost holds no code, only the measure of what alerts cost: the unmodified
// ferry with its shipped plugins on a real API server, and kubewatch beside it in the
// same run, by turns. Both bring the same Events to the same webhook.
//
//	generator → API server → ferry and its source, or kubewatch → webhook
//
// Generator and webhook are the test's own process; what is counted is the processor
// time and memory of the others alone. Nothing here judges a time: it prints. It is
// what make bench-alerts runs, needs what make build makes, and kubewatch's executable
// in FERRY_KUBEWATCH, without which ferry is measured alone.
package cost
