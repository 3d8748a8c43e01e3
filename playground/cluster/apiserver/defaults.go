package apiserver

import "strings"

// setDefaults fills in what a real server fills in and what readers rely on. It
// must change nothing the second time.
func setDefaults(r *Resource, content map[string]any) {
	spec, _ := content["spec"].(map[string]any)
	if strings.HasSuffix(r.Group, ".toolkit.fluxcd.io") && content["status"] == nil {
		content["status"] = map[string]any{"observedGeneration": float64(-1)} // as the CRDs say
	}
	switch {
	case r.Group == "apps" && spec != nil:
		defaultWorkload(r.Kind, spec)
	case r.Group == "" && r.Kind == "Pod" && spec != nil:
		defaultPod(spec)
	case r.Group == "" && r.Kind == "Namespace":
		name, _ := child(content, "metadata")["name"].(string)
		orElse(child(child(content, "metadata"), "labels"), "kubernetes.io/metadata.name", name)
		child(content, "spec")["finalizers"] = []any{"kubernetes"}
		orElse(child(content, "status"), "phase", "Active")
	case r.Group == "" && r.Kind == "Secret":
		orElse(content, "type", "Opaque")
	case r.Group == "kustomize.toolkit.fluxcd.io" && spec != nil:
		orElse(spec, "force", false)
	case r.Group == "source.toolkit.fluxcd.io" && spec != nil && r.Kind != "HelmRepository" && r.Kind != "HelmChart":
		orElse(spec, "timeout", "60s")
	}
}

func orElse(m map[string]any, key string, value any) {
	if m[key] == nil {
		m[key] = value
	}
}

func defaultWorkload(kind string, spec map[string]any) {
	if kind != "DaemonSet" {
		orElse(spec, "replicas", float64(1))
	}
	if kind == "Deployment" {
		orElse(spec, "progressDeadlineSeconds", float64(600))
		strategy := child(spec, "strategy")
		if orElse(strategy, "type", "RollingUpdate"); strategy["type"] == "RollingUpdate" {
			rolling := child(strategy, "rollingUpdate")
			orElse(rolling, "maxSurge", "25%")
			orElse(rolling, "maxUnavailable", "25%")
		}
	}
	if kind != "ReplicaSet" {
		orElse(spec, "revisionHistoryLimit", float64(10))
	}
	template, ok := spec["template"].(map[string]any)
	if !ok {
		return
	}
	if pod, ok := template["spec"].(map[string]any); ok {
		defaultPod(pod)
	}
}

func defaultPod(spec map[string]any) {
	orElse(spec, "restartPolicy", "Always")
	orElse(spec, "terminationGracePeriodSeconds", float64(30))
	orElse(spec, "dnsPolicy", "ClusterFirst")
	orElse(spec, "schedulerName", "default-scheduler")
	orElse(spec, "securityContext", map[string]any{})
	for _, list := range []string{"containers", "initContainers"} {
		containers, _ := spec[list].([]any)
		for _, c := range containers {
			c, ok := c.(map[string]any)
			if !ok {
				continue
			}
			orElse(c, "imagePullPolicy", "IfNotPresent")
			orElse(c, "terminationMessagePath", "/dev/termination-log")
			orElse(c, "terminationMessagePolicy", "File")
			orElse(c, "resources", map[string]any{})
			ports, _ := c["ports"].([]any)
			for _, p := range ports {
				if p, ok := p.(map[string]any); ok {
					orElse(p, "protocol", "TCP")
				}
			}
		}
	}
}
