package botkube

import (
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"ferry/internal/chat"
	"ferry/internal/fault"
)

// nobody is who acts for a group alone: Kubernetes takes no group without a user.
const nobody = "botkube-internal-static-user"

// The ways in which a subject is named.
const (
	Static      = "Static"
	ChannelName = "ChannelName"
)

// RBAC says as whom a plugin acts in its clusters.
type RBAC struct {
	User, Group Subject
	// Channels are the names of channels for ChannelName. In the chat anybody can
	// rename theirs, so what they are called there does not count.
	Channels map[chat.ChannelID]string
}

// Subject is a user, or groups.
type Subject struct {
	Type   string // Static, ChannelName or empty for none
	Prefix string
	Values []string
}

// Kubeconfig returns what a plugin gets for a cluster: the way in that is given,
// under the name of the cluster, as whom it says and nobody else. It is nil if no RBAC
// is set, or there is no way in.
func (r *RBAC) Kubeconfig(cluster string, given []byte, channel chat.ChannelID) ([]byte, error) {
	if r == nil || r.User.Type == "" && r.Group.Type == "" || len(given) == 0 {
		return nil, nil
	}
	users, err := r.names(r.User, channel)
	if err != nil {
		return nil, err
	}
	groups, err := r.names(r.Group, channel)
	if err != nil {
		return nil, err
	}
	as := nobody
	if len(users) > 0 {
		as = users[0]
	}
	file, err := clientcmd.Load(given)
	if err != nil {
		return nil, fault.Newf(fault.Invalid, "the kubeconfig for cluster %s cannot be read", cluster).Because(err)
	}
	from := file.Contexts[file.CurrentContext]
	if from == nil || file.Clusters[from.Cluster] == nil || file.AuthInfos[from.AuthInfo] == nil {
		return nil, fault.Newf(fault.Invalid, "the kubeconfig for cluster %s has no context that leads there", cluster)
	}
	user := file.AuthInfos[from.AuthInfo].DeepCopy()
	user.Impersonate, user.ImpersonateGroups = as, groups
	user.ImpersonateUID, user.ImpersonateUserExtra = "", nil
	return clientcmd.Write(clientcmdapi.Config{
		Clusters:       map[string]*clientcmdapi.Cluster{cluster: file.Clusters[from.Cluster]},
		AuthInfos:      map[string]*clientcmdapi.AuthInfo{cluster: user},
		Contexts:       map[string]*clientcmdapi.Context{cluster: {Cluster: cluster, AuthInfo: cluster, Namespace: "default"}},
		CurrentContext: cluster,
	})
}

// names are whom a subject stands for.
func (r *RBAC) names(s Subject, channel chat.ChannelID) ([]string, error) {
	values := s.Values
	switch s.Type {
	case "":
		return nil, nil
	case Static:
	case ChannelName:
		name := r.Channels[channel]
		if name == "" {
			return nil, fault.New(fault.Refused, "nobody has said as whom that plugin acts in this channel", "name the channel in rbac.channels")
		}
		values = []string{name}
	default:
		return nil, fault.Newf(fault.Invalid, "%q names nobody to act as", s.Type)
	}
	out := make([]string, 0, len(values))
	for _, v := range values {
		if v == "" {
			return nil, fault.New(fault.Invalid, "somebody to act as has no name", "")
		}
		out = append(out, s.Prefix+v)
	}
	if len(out) == 0 {
		return nil, fault.New(fault.Invalid, "somebody to act as has no name", "")
	}
	return out, nil
}
