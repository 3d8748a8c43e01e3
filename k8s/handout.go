package k8s

import (
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"ferry/internal/fault"
)

// Handout returns a kubeconfig that leads to a member alone, for another process:
// its one context is called like the member, certificates stand in it, and paths of
// other files are absolute.
func Handout(m Member) ([]byte, error) {
	file, err := clientcmd.LoadFromFile(m.Kubeconfig)
	if err != nil {
		return nil, fault.Newf(fault.Invalid, "cluster %s: the kubeconfig %s cannot be read", m.Name, m.Kubeconfig).Because(err)
	}
	name, err := pickContext(m, file)
	if err != nil {
		return nil, err
	}
	file.CurrentContext = name
	if err := clientcmd.ResolveLocalPaths(file); err != nil {
		return nil, err
	}
	if err := clientcmdapi.MinifyConfig(file); err != nil {
		return nil, err
	}
	if err := clientcmdapi.FlattenConfig(file); err != nil {
		return nil, err
	}
	context := file.Contexts[name]
	file.Contexts = map[string]*clientcmdapi.Context{string(m.Name): context}
	file.CurrentContext = string(m.Name)
	return clientcmd.Write(*file)
}
