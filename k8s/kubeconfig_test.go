package k8s_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/tools/clientcmd/api"

	"ferry/internal/deploy"
	"ferry/internal/fault"
	"ferry/k8s"
)

func kubeconfig(t *testing.T, current string, contexts ...string) string {
	config := api.NewConfig()
	for _, name := range contexts {
		config.Clusters[name] = &api.Cluster{Server: "https://" + name + ".example.com"}
		config.Contexts[name] = &api.Context{Cluster: name}
	}
	config.CurrentContext = current
	path := filepath.Join(t.TempDir(), "config")
	if err := clientcmd.WriteToFile(*config, path); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestNewRefusesWhatCannotWork(t *testing.T) {
	bad := filepath.Join(t.TempDir(), "bad")
	if err := os.WriteFile(bad, []byte("clusters: {"), 0o600); err != nil {
		t.Fatal(err)
	}
	good := kubeconfig(t, "east", "east", "west")
	for name, c := range map[string]struct {
		members []k8s.Member
		says    []string // in sentence or help
	}{
		"no file":         {[]k8s.Member{{Name: "prod", Kubeconfig: "/nowhere/config"}}, []string{"prod", "/nowhere/config"}},
		"no YAML":         {[]k8s.Member{{Name: "prod", Kubeconfig: bad}}, []string{"prod", bad}},
		"unknown context": {[]k8s.Member{{Name: "prod", Kubeconfig: good, Context: "north"}}, []string{"north", "east, west"}},
		"no context":      {[]k8s.Member{{Name: "prod", Kubeconfig: kubeconfig(t, "", "east")}}, []string{"prod", "east"}},
		"no contexts":     {[]k8s.Member{{Name: "prod", Kubeconfig: kubeconfig(t, "")}}, []string{"prod", "no contexts"}},
		"name twice":      {[]k8s.Member{{Name: "prod", Kubeconfig: good}, {Name: "prod", Kubeconfig: good}}, []string{"prod"}},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := k8s.New(k8s.Options{Clusters: c.members})
			if !fault.Is(err, fault.Invalid) {
				t.Fatalf("New: %v", err)
			}
			e := err.(*fault.Error)
			for _, words := range c.says {
				if !strings.Contains(e.Says+" "+e.Help, words) {
					t.Errorf("%q is missing in %q, %q", words, e.Says, e.Help)
				}
			}
			if e.Help == "" {
				t.Error("nothing says what would work")
			}
		})
	}
}

func TestContextIsTheOneCalledLikeTheCluster(t *testing.T) {
	path := kubeconfig(t, "east", "east", "prod", "west")
	for _, c := range []struct {
		name    deploy.Cluster
		context string
		want    string
	}{{"prod", "", "prod"}, {"stage", "", "east"}, {"prod", "west", "west"}} {
		fleet, err := k8s.New(k8s.Options{Clusters: []k8s.Member{{Name: c.name, Kubeconfig: path, Context: c.context}}})
		if err != nil {
			t.Fatal(err)
		}
		rows := fleet.Check(cancelled(t))
		if len(rows) != 1 || rows[0].OK || !strings.Contains(rows[0].Detail, "https://"+c.want+".example.com") || rows[0].Help == "" {
			t.Errorf("%s with context %q: %+v", c.name, c.context, rows)
		}
	}
}
