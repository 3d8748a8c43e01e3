// Package testbed runs real Kubernetes clusters with a real Flux in them on one machine, from Go modules alone: no
// containers, no images, no downloaded binaries.
//
// Build compiles the binaries (etcd, kube-apiserver, kube-controller-manager, kwok, Flux' source-, kustomize- and
// helm-controller) from the pinned modules in modules/ and keeps them in a cache keyed by everything that goes into
// them. Start brings one cluster up on loopback, on ports of its own, with all of its state in one folder:
//
//	etcd ← kube-apiserver ← kube-controller-manager   Deployments become ReplicaSets become Pods
//	                      ← binder                    Pods get the one Node (there is no scheduler)
//	                      ← kwok                      a fake kubelet: what becomes of a Pod is said by its image's tag
//	                      ← source-, kustomize-, helm-controller
//
// The tag of an image decides what its Pod does, see stages.yaml: "broken" cannot be pulled, "crash" ends in
// CrashLoopBackOff, "slow" takes three seconds, everything else is ready at once.
//
// Every process leads a process group of its own, logs into a file of its own and dies with the cluster: Stop ends
// them all, and on Linux so does the death of the process that called Start.
package testbed
