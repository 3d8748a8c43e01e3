package wall

import (
	"errors"
	"fmt"
	"net/http"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"ferry/plugins/kubectl/rules"
)

// Config is the way to a cluster by a kubeconfig, through a wall, as whom the grant
// says; as whom the kubeconfig says if it says nothing. A kubeconfig that starts a
// program to log in is refused.
func Config(kubeconfig []byte, grant rules.Grant) (*rest.Config, error) {
	if len(kubeconfig) == 0 {
		return nil, errors.New("ferry cannot read its kubeconfig, and its log says why")
	}
	config, err := clientcmd.RESTConfigFromKubeConfig(kubeconfig)
	if err != nil {
		return nil, fmt.Errorf("read the cluster's kubeconfig: %w", err)
	}
	if config.ExecProvider != nil || config.AuthProvider != nil {
		return nil, errors.New("the cluster's kubeconfig starts a program to log in, which nothing here may: give it a token or a certificate")
	}
	if grant.As.User == "" {
		grant.As = rules.Identity{User: config.Impersonate.UserName, Groups: config.Impersonate.Groups}
	}
	config.Impersonate = rest.ImpersonationConfig{UserName: grant.As.User, Groups: grant.As.Groups}
	server, _, err := rest.DefaultServerUrlFor(config)
	if err != nil {
		return nil, fmt.Errorf("read the cluster's address: %w", err)
	}
	config.Wrap(func(next http.RoundTripper) http.RoundTripper {
		return &Wall{Grant: grant, Server: server, Next: next}
	})
	return config, nil
}
