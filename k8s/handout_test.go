package k8s

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"k8s.io/client-go/tools/clientcmd"
)

// TestHandout: what leads to one cluster is handed out, and nothing of another.
func TestHandout(t *testing.T) {
	dir := t.TempDir()
	const text = `apiVersion: v1
kind: Config
current-context: b
clusters:
- {name: a, cluster: {server: "https://a", certificate-authority: ca.pem}}
- {name: b, cluster: {server: "https://b"}}
users:
- {name: a, user: {tokenFile: token}}
- {name: b, user: {token: of-b}}
contexts:
- {name: a, context: {cluster: a, user: a}}
- {name: b, context: {cluster: b, user: b}}
`
	file := filepath.Join(dir, "config")
	for name, text := range map[string]string{file: text, dir + "/ca.pem": "ca"} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	got, err := Handout(Member{Name: "prod", Kubeconfig: file, Context: "a"})
	if err != nil {
		t.Fatal(err)
	}
	c, err := clientcmd.Load(got)
	if err != nil {
		t.Fatal(err)
	}
	if c.CurrentContext != "prod" || len(c.Contexts) != 1 || strings.Contains(string(got), "of-b") || string(c.Clusters["a"].CertificateAuthorityData) != "ca" ||
		c.AuthInfos["a"].TokenFile != dir+"/token" {
		t.Errorf("handed out:\n%s", got)
	}
	if _, err := Handout(Member{Name: "prod", Kubeconfig: file, Context: "c"}); err == nil {
		t.Error("a context that is not there is handed out")
	}
}
