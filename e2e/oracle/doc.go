// Package oracle judges ferry on Flux repositories, and shares no line with it: it says where each app's version
// stands on each cluster and what an edit of it moves, by brute force.
//
//	Tree ── what a folder holds, in memory        Artifact ── what Flux would fetch of it
//	   └ Repo ── all clusters, rendered: Cluster ── units (Flux Kustomizations) ── objects
//	        └ probe ── one textual occurrence changed, whatever reads that file rendered again, what moved
//	             └ Judge ── a Claim of `ferry inventory` against that: right, wrong with the reason, or unresolved
//
// Rendering is kustomize's krusty, with fluxcd/pkg/kustomize for what Flux adds (the generated kustomization, patches,
// images, components, substitution). What Flux does around it is read anew in cluster.go and source.go.
//
// Nothing is inferred from YAML: a site is a place whose bytes, changed, move the field. That makes the oracle slow
// and hard to fool. Where it gives up (a build that fails, too many occurrences) it says unresolved, which counts for
// nobody. It does not read encrypted files, symlinks, other repositories or remote bases; variables that only the
// cluster knows are empty.
//
// `make oracle` runs it on the invented repositories in delivery/testdata/layouts, `make oracle REPOS=folder` also on
// real ones (repos.go lists them with their cluster paths).
package oracle
