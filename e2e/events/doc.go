// Package events holds no code, only the tests of what becomes of events on real API servers: the unmodified ferry
// with its own source plugins, one process for each cluster, between real clusters (etcd and kube-apiserver alone, what
// kubelets and node controllers write is written here), the local Slack, and servers that judge what the other sinks
// send.
//
//   - TestNoneLostNoneTwice (make events-chaos) has Events and problems happen at 500 a second while ferry and its
//     plugins are killed, API servers restart, and every sink fails in its turn. plan_test.go draws what happens,
//     make_test.go makes it happen, harm_test.go does the harm, stand_test.go and Slack take what arrives, and
//     verdict_test.go, which knows nothing but what was made, says what was lost, doubled or out of order.
//   - TestAnOutageOnRealClusters has a node and its 300 pods fail.
package events
