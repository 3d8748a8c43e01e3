package oracle

import (
	"os"
	"path/filepath"
	"strings"
)

// Checkout is a public repository to judge on, at the head of its default branch.
type Checkout struct {
	Repo  string   // owner/name
	Dir   string   // the folder in it that Flux takes for the repository, if not all
	Roots []string // cluster paths; of a repository of parts, the parts that others apply
}

// checkouts are the repositories of the development list that have roots. Of d1-apps and d1-infra the main branch is
// meant. The folders of flux-local are fixtures of its own tests, without cluster5, whose path is the whole repository
// and builds in no Flux. DEFRA's roots name folders by variables that live in the clusters, and flux2-multi-tenancy's
// apps are on another branch: from what is in Git no app is reached. giantswarm/management-cluster-bases and
// ppat/homelab-ops-kubernetes-apps are catalogues without roots.
func checkouts() []Checkout {
	return []Checkout{
		{Repo: "fluxcd/flux2-kustomize-helm-example", Roots: []string{"clusters/production", "clusters/staging"}},
		{Repo: "fluxcd/flux2-hub-spoke-example", Roots: []string{"hub"}},
		{Repo: "fluxcd/flux2-multi-tenancy", Roots: []string{"clusters/production", "clusters/staging"}},
		{Repo: "ViktorDevOpsCourse/CodersInControl", Dir: "demo", Roots: []string{"clusters/prod", "clusters/stag"}},
		{Repo: "Dapacruz/k8s-infra", Roots: []string{"clusters/prod", "clusters/staging"}},
		{Repo: "Serubin/flux-infra", Roots: []string{"clusters/prod", "clusters/staging"}},
		{Repo: "compose-ai/flux-monorepo", Roots: []string{"clusters/ops", "clusters/prod", "clusters/stage"}},
		{Repo: "Diixtra/diixtra-forge", Roots: []string{"clusters/dev", "clusters/homelab"}},
		{Repo: "PingCAP-QE/ee-ops", Roots: []string{"clusters/gcp", "clusters/prod", "clusters/prod2", "clusters/tencentcloud"}},
		{Repo: "josmase/flux", Roots: []string{"clusters/development", "clusters/production"}},
		{Repo: "getrichquickschemes/flux", Roots: []string{"clusters/p", "clusters/prod", "clusters/t", "clusters/test"}},
		{Repo: "joryirving/home-ops", Roots: []string{"kubernetes/clusters/main", "kubernetes/clusters/test", "kubernetes/clusters/utility"}},
		{Repo: "tyriis/home-ops", Roots: []string{"kubernetes/main/flux", "kubernetes/utility/flux"}},
		{Repo: "anthr76/infra", Roots: []string{"k8s/clusters/civo-mgmt-0/gotk/flux-system", "k8s/clusters/qgr1-cluster-0/gotk/flux-system"}},
		{Repo: "carpenike/k8s-gitops", Roots: []string{"kubernetes/cluster-0/flux", "kubernetes/nas-1/flux"}},
		{Repo: "DEFRA/adp-flux-core", Roots: []string{
			"clusters/dev/01", "clusters/pre/01",
			"clusters/prd/01", "clusters/snd/01",
			"clusters/snd/02", "clusters/snd/03",
			"clusters/snd/04", "clusters/tst/01",
			"clusters/tst/02",
		}},
		{Repo: "DEFRA/adp-flux-services", Roots: []string{
			"services/environments/dev/01", "services/environments/pre/01",
			"services/environments/prd/01", "services/environments/snd/01",
			"services/environments/snd/02", "services/environments/snd/03",
			"services/environments/snd/04", "services/environments/tst/01",
			"services/environments/tst/02",
		}},
		{Repo: "equinor/radix-flux", Roots: []string{
			"clusters/c2-production", "clusters/c3",
			"clusters/development", "clusters/monitoring",
			"clusters/playground", "clusters/production",
		}},
		{Repo: "controlplaneio-fluxcd/d1-fleet", Roots: []string{"clusters/prod-eu", "clusters/prod-us", "clusters/staging"}},
		{Repo: "controlplaneio-fluxcd/d1-infra", Roots: []string{
			"components/admission/controllers/production", "components/admission/controllers/staging",
			"components/monitoring/controllers/production", "components/monitoring/controllers/staging",
		}},
		{Repo: "controlplaneio-fluxcd/d1-apps", Roots: []string{
			"components/backend/production", "components/backend/staging",
			"components/frontend/production", "components/frontend/staging",
		}},
		{Repo: "allenporter/flux-local", Roots: []string{
			"tests/testdata/cluster/clusters/prod", "tests/testdata/cluster10/clusters/dev",
			"tests/testdata/cluster11/cluster", "tests/testdata/cluster12/cluster",
			"tests/testdata/cluster2/flux", "tests/testdata/cluster3/clusters/cluster3",
			"tests/testdata/cluster4/flux",
			"tests/testdata/cluster6/cluster", "tests/testdata/cluster7/clusters/home",
			"tests/testdata/cluster8/cluster", "tests/testdata/cluster9/clusters/dev",
		}},
		{Repo: "Altinn/security-monitoring", Roots: []string{"clusters/dev"}},
		{Repo: "CBX0N/homelab-flux", Roots: []string{"flux/flux-system"}},
		{Repo: "MTRNord/cluster", Roots: []string{"clusters/talos_cluster"}},
		{Repo: "QuantumDancer/flux-cluster-config", Roots: []string{"clusters/prod"}},
		{Repo: "onedr0p/home-ops", Roots: []string{"kubernetes/flux/cluster"}},
		{Repo: "ahgraber/homelab-gitops-k3s", Roots: []string{"kubernetes/flux/cluster"}},
		{Repo: "drag0n141/home-ops", Roots: []string{"kubernetes/flux/cluster"}},
		{Repo: "billimek/k8s-gitops", Roots: []string{"setup/flux/cluster"}},
		{Repo: "xunholy/k8s-gitops", Roots: []string{"kubernetes/clusters/cluster-00"}},
		{Repo: "giantswarm/gitops-template", Roots: []string{"management-clusters/MC_NAME"}},
	}
}

// Found is a checkout on this disk.
type Found struct {
	Checkout
	Path string
}

// FindCheckouts looks for the known repositories in a folder, as owner+name, owner/name or name. It also says which are
// not there.
func FindCheckouts(folder string) (found []Found, missing []string) {
	for _, c := range checkouts() {
		_, name, _ := strings.Cut(c.Repo, "/")
		var at string
		for _, dir := range []string{strings.ReplaceAll(c.Repo, "/", "+"), c.Repo, name} {
			dir = filepath.Join(folder, filepath.FromSlash(dir), filepath.FromSlash(c.Dir))
			if info, err := os.Stat(dir); err == nil && info.IsDir() {
				at = dir
				break
			}
		}
		if at == "" {
			missing = append(missing, c.Repo)
			continue
		}
		found = append(found, Found{c, at})
	}
	return found, missing
}
