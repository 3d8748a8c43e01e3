package k8s

import (
	"fmt"
	"maps"
	"net"
	"slices"
	"strings"
	"time"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"ferry/internal/fault"
)

// access is a loaded kubeconfig: how to reach one cluster.
type access struct {
	config  *rest.Config
	context string
}

// load reads a member's kubeconfig. Every error is Invalid and says what would
// work.
func load(m Member) (access, error) {
	file, err := clientcmd.LoadFromFile(m.Kubeconfig)
	if err != nil {
		return access{}, fault.Newf(fault.Invalid, "cluster %s: the kubeconfig %s cannot be read", m.Name, m.Kubeconfig).
			WithHelp("name a file that `kubectl --kubeconfig %s config view` can show", m.Kubeconfig).Because(err)
	}
	context, err := pickContext(m, file)
	if err != nil {
		return access{}, err
	}
	config, err := clientcmd.NewNonInteractiveClientConfig(*file, context, &clientcmd.ConfigOverrides{}, nil).ClientConfig()
	if err != nil {
		return access{}, fault.Newf(fault.Invalid, "cluster %s: the context %s of %s cannot be used", m.Name, context, m.Kubeconfig).
			WithHelp("compare with `kubectl --kubeconfig %s --context %s version`", m.Kubeconfig, context).Because(err)
	}
	// Requests are bounded one by one; a limit here would end watches.
	config.Timeout = 0
	config.QPS, config.Burst = 100, 200
	config.UserAgent = "ferry"
	config.WarningHandler = rest.NoWarnings{}
	config.Dial = (&net.Dialer{Timeout: 5 * time.Second, KeepAlive: 15 * time.Second}).DialContext
	return access{config: config, context: context}, nil
}

func pickContext(m Member, file *clientcmdapi.Config) (string, error) {
	known := slices.Sorted(maps.Keys(file.Contexts))
	has := func(name string) bool { return file.Contexts[name] != nil }
	switch {
	case m.Context != "" && has(m.Context):
		return m.Context, nil
	case m.Context != "":
		return "", fault.Newf(fault.Invalid, "cluster %s: %s has no context %s", m.Name, m.Kubeconfig, m.Context).
			WithHelp("%s", contextHelp(known)).WithChoices(known...)
	case has(string(m.Name)):
		return string(m.Name), nil
	case file.CurrentContext != "" && has(file.CurrentContext):
		return file.CurrentContext, nil
	}
	return "", fault.Newf(fault.Invalid, "cluster %s: %s has no context %s and no current one", m.Name, m.Kubeconfig, m.Name).
		WithHelp("%s", contextHelp(known)).WithChoices(known...)
}

func contextHelp(known []string) string {
	if len(known) == 0 {
		return "the file has no contexts at all; name another file"
	}
	return fmt.Sprintf("name one of its contexts: %s", strings.Join(known, ", "))
}
