// Package seed is the Flux repository that the playground starts with: three
// clusters, some ten apps, and the ways in which real repositories write their
// versions.
//
//	podinfo    kustomize images, newTag per cluster; 6.5.5 is planted to fail
//	redis      a HelmRelease's chart version, in a patch per cluster; 19.1.0 fails
//	echo       an image tag in a HelmRelease's values, in a patch per cluster
//	ledger     a registry with a port, newTag quoted, behind a health gate
//	notifier   the whole image in a patch, quoted, with a comment
//	imgproxy   an image by digest
//	gateway    one name in the namespaces team-a and team-b
//	backend    the version stands in the base that all clusters share
//
// Beside it there is a second fleet (see Fleets), of apps that ferry refuses to
// change.
package seed

import "embed"

//go:embed all:fleet
var fleet embed.FS

// URL is the address under which the files name their own repository.
const URL = "https://github.com/acme/fleet.git"

// Files are the files of the repository by path, naming it by URL.
func Files() (map[string]string, error) { return Fleets()[0].below("fleet") }

// Namespaces are those of the apps.
func Namespaces() []string {
	return []string{"podinfo", "cache", "echo", "payments", "notify", "media", "team-a", "team-b", "backend"}
}
