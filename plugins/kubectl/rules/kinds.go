package rules

import (
	"slices"
	"strings"
)

// Kind is a kind of objects, as the API names it: Plural and Group are those of
// its path.
type Kind struct {
	Plural, Group string
	// Cluster is true for one whose objects are in no namespace.
	Cluster bool
	// Known is false for one that is in no table here: Plural is then what somebody
	// wrote or a path held, and Cluster says nothing.
	Known bool
}

// String is the name with its group, as kubectl takes it.
func (k Kind) String() string {
	if k.Group == "" {
		return k.Plural
	}
	return k.Plural + "." + k.Group
}

// kinds are those that can be written without their group: plural, group, scope,
// and other words for it. What is not here is written as plural.group in rules.
const kinds = `
bindings - ns
componentstatuses - cluster cs componentstatus
configmaps - ns cm configmap
endpoints - ns ep
events - ns ev event
limitranges - ns limits limitrange
namespaces - cluster ns namespace
nodes - cluster no node
persistentvolumeclaims - ns pvc persistentvolumeclaim
persistentvolumes - cluster pv persistentvolume
pods - ns po pod
podtemplates - ns podtemplate
replicationcontrollers - ns rc replicationcontroller
resourcequotas - ns quota resourcequota
secrets - ns secret
serviceaccounts - ns sa serviceaccount
services - ns svc service
controllerrevisions apps ns controllerrevision
daemonsets apps ns ds daemonset
deployments apps ns deploy deployment
replicasets apps ns rs replicaset
statefulsets apps ns sts statefulset
horizontalpodautoscalers autoscaling ns hpa horizontalpodautoscaler
cronjobs batch ns cj cronjob
jobs batch ns job
leases coordination.k8s.io ns lease
endpointslices discovery.k8s.io ns endpointslice
ingresses networking.k8s.io ns ing ingress
ingressclasses networking.k8s.io cluster ingressclass
networkpolicies networking.k8s.io ns netpol networkpolicy
poddisruptionbudgets policy ns pdb poddisruptionbudget
roles rbac.authorization.k8s.io ns role
rolebindings rbac.authorization.k8s.io ns rolebinding
clusterroles rbac.authorization.k8s.io cluster clusterrole
clusterrolebindings rbac.authorization.k8s.io cluster clusterrolebinding
priorityclasses scheduling.k8s.io cluster pc priorityclass
storageclasses storage.k8s.io cluster sc storageclass
volumeattachments storage.k8s.io cluster volumeattachment
csidrivers storage.k8s.io cluster csidriver
csinodes storage.k8s.io cluster csinode
customresourcedefinitions apiextensions.k8s.io cluster crd crds customresourcedefinition
apiservices apiregistration.k8s.io cluster apiservice
mutatingwebhookconfigurations admissionregistration.k8s.io cluster mutatingwebhookconfiguration
validatingwebhookconfigurations admissionregistration.k8s.io cluster validatingwebhookconfiguration
certificatesigningrequests certificates.k8s.io cluster csr certificatesigningrequest
runtimeclasses node.k8s.io cluster runtimeclass
kustomizations kustomize.toolkit.fluxcd.io ns ks kustomization
helmreleases helm.toolkit.fluxcd.io ns hr helmrelease
gitrepositories source.toolkit.fluxcd.io ns gitrepo gitrepository
ocirepositories source.toolkit.fluxcd.io ns ocirepo ocirepository
helmrepositories source.toolkit.fluxcd.io ns helmrepo helmrepository
helmcharts source.toolkit.fluxcd.io ns hc helmchart
buckets source.toolkit.fluxcd.io ns bucket
imagerepositories image.toolkit.fluxcd.io ns imgrepo imagerepository
imagepolicies image.toolkit.fluxcd.io ns imgpol imagepolicy
imageupdateautomations image.toolkit.fluxcd.io ns iua imageupdateautomation
`

// table returns every known kind by each word for it, in small letters.
func table() map[string]Kind {
	out := map[string]Kind{}
	for line := range strings.Lines(kinds) {
		words := strings.Fields(line)
		if len(words) < 3 {
			continue
		}
		k := Kind{Plural: words[0], Group: strings.Trim(words[1], "-"), Cluster: words[2] == "cluster", Known: true}
		if words[1] != "-" {
			k.Group = words[1]
		}
		for _, word := range append(words[3:], words[0]) {
			out[word] = k
		}
	}
	return out
}

// Word returns the kind that somebody wrote: po, Pod, pods, pods.v1,
// deployments.apps, deployment.v1.apps, and, as kubectl takes it, the beginning of a
// group: deployments.ap. One that is not known is returned as it was written, in
// small letters and without its version.
func Word(word string) Kind {
	base, rest, dotted := strings.Cut(strings.ToLower(word), ".")
	k, known := table()[base]
	if !dotted {
		if known {
			return k
		}
		return Kind{Plural: base}
	}
	group := rest
	if version, after, more := strings.Cut(rest, "."); isVersion(version) {
		group = after
		if !more {
			group = ""
		}
	}
	for _, g := range groups(k) {
		if known && (g == group || group != "" && strings.HasPrefix(g, group)) {
			k.Group = g
			return k
		}
	}
	return Kind{Plural: base, Group: group}
}

// Path returns the kind of a path's resource.
func Path(plural, group string) Kind {
	if k, ok := table()[plural]; ok && k.Plural == plural && slices.Contains(groups(k), group) {
		k.Group = group
		return k
	}
	return Kind{Plural: plural, Group: group}
}

// groups are those in which a kind is served: events are in two, and what is measured
// of pods and nodes has their names.
func groups(k Kind) []string {
	switch k.Plural {
	case "events":
		return []string{k.Group, "events.k8s.io"}
	case "pods", "nodes":
		return []string{k.Group, "metrics.k8s.io"}
	}
	return []string{k.Group}
}

// isVersion says whether a word is a version such as v1 or v2beta1.
func isVersion(s string) bool {
	return len(s) > 1 && s[0] == 'v' && s[1] >= '0' && s[1] <= '9'
}
