package testbed

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"strings"
)

// The modules are pinned by a complete go.mod and go.sum each. They are named *.mod and *.sum because a folder that
// holds a go.mod cannot be embedded.
//
//go:embed modules/*.mod modules/*.sum
var modules embed.FS

// binary says how one executable is built.
type binary struct {
	name    string // of the executable
	modfile string // modules/<modfile>.mod pins it
	module  string // its version is this module's
	pkg     string // the main package
	crds    bool   // the module's config/crd/bases belongs to it
}

// binaries are in the order in which they are built: those that share most packages stand together.
func binaries() []binary {
	return []binary{
		{name: "etcd", modfile: "etcd", module: "go.etcd.io/etcd/server/v3", pkg: "go.etcd.io/etcd/server/v3"},
		{name: "kube-apiserver", modfile: "kubernetes", module: "k8s.io/kubernetes", pkg: "k8s.io/kubernetes/cmd/kube-apiserver"},
		{name: "kube-controller-manager", modfile: "kubernetes", module: "k8s.io/kubernetes", pkg: "k8s.io/kubernetes/cmd/kube-controller-manager"},
		{name: "kwok", modfile: "kwok", module: "sigs.k8s.io/kwok", pkg: "sigs.k8s.io/kwok/cmd/kwok"},
		{name: "source-controller", modfile: "flux", module: "github.com/fluxcd/source-controller", pkg: "github.com/fluxcd/source-controller", crds: true},
		{name: "kustomize-controller", modfile: "flux", module: "github.com/fluxcd/kustomize-controller", pkg: "github.com/fluxcd/kustomize-controller", crds: true},
		{name: "helm-controller", modfile: "flux", module: "github.com/fluxcd/helm-controller", pkg: "github.com/fluxcd/helm-controller", crds: true},
	}
}

// pins returns the go.mod and go.sum that fix every version b is built from.
func (b binary) pins() (mod, sum []byte, err error) {
	if mod, err = modules.ReadFile("modules/" + b.modfile + ".mod"); err != nil {
		return nil, nil, fmt.Errorf("read pinned go.mod of %s: %w", b.name, err)
	}
	if sum, err = modules.ReadFile("modules/" + b.modfile + ".sum"); err != nil {
		return nil, nil, fmt.Errorf("read pinned go.sum of %s: %w", b.name, err)
	}
	return mod, sum, nil
}

// version is the one that the pinned go.mod requires of b's module.
func (b binary) version(mod []byte) (string, error) {
	for line := range strings.Lines(string(mod)) {
		words := strings.Fields(strings.TrimPrefix(strings.TrimSpace(line), "require "))
		if len(words) >= 2 && words[0] == b.module && strings.HasPrefix(words[1], "v") {
			return words[1], nil
		}
	}
	return "", fmt.Errorf("modules/%s.mod requires no version of %s", b.modfile, b.module)
}

// cacheKey names the cache entry of b: whatever could change its bytes is in it.
func (b binary) cacheKey(version string, mod, sum []byte, toolchain string) string {
	hash := sha256.New()
	for _, part := range [][]byte{[]byte(toolchain), []byte(buildFlags), mod, sum} {
		fmt.Fprintf(hash, "%d\n", len(part))
		hash.Write(part)
	}
	return b.name + "-" + version + "-" + hex.EncodeToString(hash.Sum(nil))[:12]
}
