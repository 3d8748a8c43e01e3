// Package k8s is the fleet: one supervised controller per cluster, and one
// compact cache over all of them from which every question is answered without
// asking a cluster.
//
// # Sessions
//
// Each cluster lives in sessions. A session asks for readiness, version and
// identity, then lists and watches: Deployments in each configured namespace,
// and, cluster-wide, HelmReleases, Kustomizations and GitRepositories (which of
// them are served shows by the answer), and each ConfigMap and Secret that a
// Kustomization substitutes from. Once every feed is listed, and the server has
// taken its watch, the cluster is fresh. When the connection breaks, anything but
// "forbidden" and "no such kind" is answered, or the probe gets no answer, the
// session ends: the cluster is stale at once, keeps what was known, and is tried
// again after a pause that grows from 0.5 s to 30 s with jitter, or to 2 s while
// its server answers that it is not ready. A new session lists everything anew, so
// that "fresh" never rests on what happened before the break. Clusters share
// nothing but the process; none waits for another.
//
// What a server answers for a moment (429 and 5xx: it has just started, stops, has
// too much to do, or its store has no leader) ends no session: it is asked again
// after what it says, or 0.25 to 2 s, for as long as one answer may take. Just after
// its start an API server lists long before it takes a watch, above all of custom
// resources, whose caches nothing that /readyz tells of waits for.
//
// A watch that its server ends, as it does every few minutes, goes on from the
// version it had. A connection that was cut shows at once, because the watch
// goes on at once and fails. A connection that is silently dead shows by the
// probe: when nothing was heard for Options.Probe (5 s), /readyz is asked, and
// after Options.Answer (3 s) without an answer the cluster is stale. So nobody
// is told that a dead cluster lives for longer than about 8 s. That probe, of
// some hundred bytes, is all that happens at rest; state is never polled. The
// HTTP/2 pings of client-go would take 45 s to notice and can only be set for
// the whole process, so they are merely the second line.
//
// What RBAC forbids, and kinds that are not served, are asked for again, at
// first soon and then every Options.Rediscover (1 min), only while something is
// missing. The reason is
// told by ClusterState.Reason; the rest goes on. What cannot be seen is not
// guessed: Declared.Known is false without Kustomizations, and an app whose
// owner cannot be read is of unknown health.
//
// # One API server, two names
//
// Two configured clusters with the same UID of the namespace kube-system, or
// the same address, are one API server. Unless Options.AllowSame says that it
// is meant, CheckDistinct refuses to start, and where it shows only later both
// are stale for that reason.
//
// # Memory
//
// Objects are decoded from JSON into the few fields that are used; what stays
// is a flat record of some 450 bytes per app, with names that repeat interned;
// with its place in the table and a share of the release and Kustomization that
// own it, about 0.8 KB. Reads come from a sorted snapshot (another 0.4 KB per
// app) that is made when somebody asks after a change, and shared by all who ask
// until the next change.
//
// # Following a change
//
// Observe adds to the cache what only matters while somebody watches: a watch
// on the one object that carries the version, watches on the StatefulSets and
// DaemonSets of a release, and on the pods of workloads that are not rolled
// out. They end with the observation. Release and site are taken from the same
// version of the HelmRelease, and workloads that look settled are read once
// more from the API server before they are reported: separate watches may lag
// behind each other, and old workloads beside a new release would prove what is
// not so.
//
// # What is written
//
// Two patches, each harmless when repeated: Reconcile's annotation on sources, and
// SuspendAutomation's spec.suspend of an ImageUpdateAutomation. Neither makes an
// object, and ferry goes on without either.
//
// # Limits
//
// A Kustomization with spec.kubeConfig (hub and spoke) is kept below the
// cluster that declares it: which API server its secret leads to is not looked
// up. The workloads on the spoke carry its labels, but their Kustomization is
// not found on the spoke, so their health is unknown there and delivery refuses.
// HelmReleases are read as v2, Kustomizations and sources as v1, the versions
// that Flux has served since 2.3. A kubeconfig is read once; files it names
// (certificates, tokens) are read again by client-go when they change.
package k8s
