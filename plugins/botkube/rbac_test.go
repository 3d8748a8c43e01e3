package botkube

import (
	"slices"
	"strings"
	"testing"

	"k8s.io/client-go/tools/clientcmd"

	"ferry/internal/chat"
)

// TestKubeconfigIsOneClusterAsSomebody: named like the cluster, in the namespace
// default, with no other credential in it.
func TestKubeconfigIsOneClusterAsSomebody(t *testing.T) {
	static := func(prefix string, values ...string) Subject {
		return Subject{Type: Static, Prefix: prefix, Values: values}
	}
	names := map[chat.ChannelID]string{"C1": "ops"}
	for name, c := range map[string]struct {
		rbac   RBAC
		as     string
		groups []string
	}{
		"a user":                       {RBAC{User: static("", "jane")}, "jane", nil},
		"groups without a user":        {RBAC{Group: static("bk-", "a", "b")}, "botkube-internal-static-user", []string{"bk-a", "bk-b"}},
		"both":                         {RBAC{User: static("u-", "x"), Group: static("", "g")}, "u-x", []string{"g"}},
		"the channel's name":           {RBAC{Group: Subject{Type: ChannelName, Prefix: "ch-"}, Channels: names}, nobody, []string{"ch-ops"}},
		"the channel's name as a user": {RBAC{User: Subject{Type: ChannelName}, Channels: names}, "ops", nil},
	} {
		text, err := c.rbac.Kubeconfig("prod", []byte(oneCluster), "C1")
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		file, err := clientcmd.Load(text)
		if err != nil {
			t.Fatal(err)
		}
		context := file.Contexts["prod"]
		if file.CurrentContext != "prod" || context == nil || context.Namespace != "default" || len(file.AuthInfos) != 1 || strings.Contains(string(text), "others") {
			t.Fatalf("%s: %s", name, text)
		}
		if user := file.AuthInfos[context.AuthInfo]; user.Impersonate != c.as || !slices.Equal(user.ImpersonateGroups, c.groups) || user.Password != "secret" {
			t.Errorf("%s: as %s, %q", name, user.Impersonate, user.ImpersonateGroups)
		}
	}
}

// TestNoKubeconfigWithoutSomebody, whatever else is missing.
func TestNoKubeconfigWithoutSomebody(t *testing.T) {
	some := RBAC{User: Subject{Type: Static, Values: []string{"x"}}}
	for name, got := range map[string]func() ([]byte, error){
		"no RBAC":   func() ([]byte, error) { return (*RBAC)(nil).Kubeconfig("prod", []byte(oneCluster), "C1") },
		"no type":   func() ([]byte, error) { return (&RBAC{}).Kubeconfig("prod", []byte(oneCluster), "C1") },
		"no way in": func() ([]byte, error) { return some.Kubeconfig("prod", nil, "C1") },
	} {
		if text, err := got(); err != nil || text != nil {
			t.Errorf("%s: %s, %v", name, text, err)
		}
	}
	for name, r := range map[string]RBAC{
		"an unnamed channel": {User: Subject{Type: ChannelName}, Channels: map[chat.ChannelID]string{"C2": "x"}},
		"an unknown type":    {User: Subject{Type: "Dynamic"}},
		"no name":            {User: Subject{Type: Static}},
		"an empty name":      {Group: Subject{Type: Static, Prefix: "x", Values: []string{""}}},
	} {
		if text, err := r.Kubeconfig("prod", []byte(oneCluster), "C1"); err == nil {
			t.Errorf("%s: %s", name, text)
		}
	}
	if text, err := some.Kubeconfig("prod", []byte("{}"), ""); err == nil {
		t.Errorf("of an empty one: %s", text)
	}
}
