package k8s

import (
	"fmt"

	"ferry/internal/deploy"
)

// verdict is the health of one part of an app; the zero value has no say.
type verdict struct {
	health deploy.Health
	reason string
}

// worst is the health of the whole: what is broken is told before what is held,
// that before what is unknown, and that before what is under way.
func worst(parts ...verdict) (deploy.Health, string) {
	for _, h := range []deploy.Health{deploy.Degraded, deploy.Suspended, deploy.Unknown, deploy.Progressing} {
		for _, p := range parts {
			if p.health == h {
				return p.health, p.reason
			}
		}
	}
	return deploy.Healthy, ""
}

// workloadHealth judges a rollout. A status of an older generation says nothing
// about the present one.
func workloadHealth(w *workload) verdict {
	switch {
	case w.observed == 0:
		return verdict{deploy.Unknown, fmt.Sprintf("no controller has reported on %s yet", w.ref())}
	case w.observed < w.generation:
		return verdict{deploy.Progressing, fmt.Sprintf("%s has changed; its controller has not seen it yet", w.ref())}
	case w.stuck != "":
		return verdict{deploy.Degraded, fmt.Sprintf("%s: %s", w.ref(), w.stuck)}
	case w.rolledOut():
		return verdict{deploy.Healthy, ""}
	case w.paused:
		return verdict{deploy.Suspended, fmt.Sprintf("the rollout of %s is paused", w.ref())}
	case w.complete:
		return verdict{deploy.Degraded, fmt.Sprintf("%d of %d replicas of %s are ready", w.ready, w.desired, w.ref())}
	}
	return verdict{deploy.Progressing, fmt.Sprintf("%d of %d replicas of %s are updated and %d ready", w.updated, w.desired, w.ref(), w.ready)}
}

func (s *store) releaseHealth(name key) verdict {
	r := s.releases[name]
	if r == nil {
		return verdict{deploy.Unknown, s.unseen(helmReleases(), name)}
	}
	if r.state.Suspended {
		return verdict{deploy.Suspended, fmt.Sprintf("%s is suspended", r.state.Ref)}
	}
	if r.state.Remediated != "" {
		return verdict{deploy.Degraded, fmt.Sprintf("Helm went back to the old release of %s: %s", r.state.Ref, r.state.Remediated)}
	}
	return conditionHealth(r.state.Ref, r.state.Ready)
}

// kustomizationHealth has no say for what no Kustomization applies.
func (s *store) kustomizationHealth(name key) verdict {
	if name == (key{}) {
		return verdict{}
	}
	d := s.kustomizations[name]
	if d == nil {
		return verdict{deploy.Unknown, s.unseen(kustomizations(), name)}
	}
	if d.suspended {
		return verdict{deploy.Suspended, fmt.Sprintf("%s is suspended", kustomizationRef(name))}
	}
	return conditionHealth(kustomizationRef(name), d.condition)
}

// conditionHealth judges a Flux object by its Ready condition.
func conditionHealth(r deploy.Ref, c deploy.Condition) verdict {
	switch {
	case c.Status == "":
		return verdict{deploy.Unknown, fmt.Sprintf("no controller has reported on %s yet", r)}
	case !c.Observed:
		return verdict{deploy.Progressing, fmt.Sprintf("%s has changed; Flux has not seen it yet", r)}
	case c.Status == "True":
		return verdict{deploy.Healthy, ""}
	case c.Reason == "Progressing" || c.Reason == "ProgressingWithRetry" || c.Reason == "DependencyNotReady":
		return verdict{deploy.Progressing, fmt.Sprintf("%s: %s", r, wording(c.Reason, c.Message))}
	case c.Status == "False":
		return verdict{deploy.Degraded, fmt.Sprintf("%s: %s", r, wording(c.Reason, c.Message))}
	}
	return verdict{deploy.Unknown, fmt.Sprintf("%s: %s", r, wording(c.Reason, c.Message))}
}

// unseen says why an owner that a label names is not known.
func (s *store) unseen(r resource, name key) string {
	what := deploy.Ref{Kind: r.kind, Namespace: name.namespace, Name: name.name}
	if seen := s.sights[r.plural]; !seen.listed && seen.reason != "" {
		return fmt.Sprintf("%s cannot be read: %s", what, seen.reason)
	}
	return fmt.Sprintf("%s, which its labels name, is not there", what)
}
