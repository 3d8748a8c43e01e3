// Package apiserver is a Kubernetes API server without Kubernetes: objects of a
// few known kinds in memory, behind the REST protocol that client-go speaks.
//
// It is faithful where clients can tell the difference: resource versions and
// conflicts, generations, the status sub-resource, list pages and selectors,
// patches, watches that resume, expire (410) and announce the end of their
// initial list, Status bodies as errors, discovery, access reviews, deletion of
// what an owner leaves behind. It is not a validating server: what it does not
// know of an object it keeps as it is. No managed fields, no admission, no
// protobuf, no tables.
//
// Store holds the objects; it knows no HTTP. Server serves one Store. What
// lives inside the cluster (the simulated controllers) uses the Store directly,
// so that a cluster nobody can reach goes on working, as a real one does.
package apiserver
