package webhook

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"ferry/plugins/api"
)

// stillSo is how often an alert that goes on is told again: within the time after which
// ferry takes an incident for over of which it hears nothing, a day.
const stillSo = 8 * time.Hour

// alertmanager makes an event of each alert of a group, as Alertmanager's webhook
// sends it (version 4). What it repeats is the same event, but for one each stillSo that
// says that it goes on, without which ferry would hear no more of it
// (alerts.resolve_timeout).
func alertmanager(text []byte, _ *http.Request) ([]api.Event, error) {
	var group struct {
		Version  string `json:"version"`
		Receiver string `json:"receiver"`
		GroupKey string `json:"groupKey"`
		Alerts   []struct {
			Status      string            `json:"status"`
			Labels      map[string]string `json:"labels"`
			Annotations map[string]string `json:"annotations"`
			StartsAt    time.Time         `json:"startsAt"`
			EndsAt      time.Time         `json:"endsAt"`
			URL         string            `json:"generatorURL"`
			Fingerprint string            `json:"fingerprint"`
		} `json:"alerts"`
	}
	if err := json.Unmarshal(text, &group); err != nil {
		return nil, fmt.Errorf("this is not what Alertmanager sends: %w", err)
	}
	if group.Version != "4" || len(group.Alerts) == 0 {
		return nil, errors.New("this is not what Alertmanager sends: version 4, with alerts")
	}
	var out []api.Event
	for _, a := range group.Alerts {
		if a.Fingerprint == "" {
			a.Fingerprint = digest(pairs(a.Labels)...)
		}
		e := api.Event{
			ID: fmt.Sprintf("%s/%s/%d", a.Fingerprint, a.Status, a.StartsAt.UnixMilli()), At: a.StartsAt, Cluster: a.Labels["cluster"],
			Namespace: a.Labels["namespace"], Reason: a.Labels["alertname"], Severity: severity(a.Labels["severity"], api.SeverityWarning),
			Title: first(a.Annotations["summary"], a.Annotations["message"], a.Labels["alertname"]),
			Text:  strings.TrimSpace(a.Annotations["description"] + "\n" + a.URL), Labels: a.Labels, About: "alertmanager/" + a.Fingerprint,
		}
		for _, kind := range [][2]string{{"pod", "Pod"}, {"deployment", "Deployment"}, {"statefulset", "StatefulSet"}, {"daemonset", "DaemonSet"}, {"job_name", "Job"}, {"node", "Node"}} {
			if name := a.Labels[kind[0]]; name != "" {
				e.Kind, e.Name = kind[1], name
				break
			}
		}
		if n := int64(time.Since(a.StartsAt) / stillSo); a.Status != "resolved" && n > 0 {
			e.Still = true
			e.ID += fmt.Sprintf("/still/%d", n)
			e.At = a.StartsAt.Add(time.Duration(n) * time.Millisecond) // later than before, and not than its end
		}
		if a.Status == "resolved" {
			e.Resolved, e.Severity, e.At = true, api.SeverityInfo, a.EndsAt
			e.ID += fmt.Sprintf("/%d", a.EndsAt.UnixMilli())
		}
		e.Object, _ = json.Marshal(a) // nothing in it that could not be
		out = append(out, e)
	}
	return out, nil
}

// flux makes an event of what Flux's notification-controller sends (its Event, of
// the generic providers). What went well ends what failed before.
func flux(text []byte, _ *http.Request) ([]api.Event, error) {
	var f struct {
		Object struct {
			Kind      string `json:"kind"`
			Namespace string `json:"namespace"`
			Name      string `json:"name"`
			UID       string `json:"uid"`
		} `json:"involvedObject"`
		Severity   string            `json:"severity"`
		At         time.Time         `json:"timestamp"`
		Message    string            `json:"message"`
		Reason     string            `json:"reason"`
		Metadata   map[string]string `json:"metadata"`
		Controller string            `json:"reportingController"`
	}
	if err := json.Unmarshal(text, &f); err != nil {
		return nil, fmt.Errorf("this is not what Flux sends: %w", err)
	}
	if f.Object.Kind == "" || f.Object.Name == "" || f.Severity == "" {
		return nil, errors.New("this is not what Flux sends: an involvedObject and a severity")
	}
	cluster := f.Metadata["cluster"]
	head, rest, _ := strings.Cut(strings.TrimSpace(f.Message), "\n")
	e := api.Event{
		ID: digest(f.Object.UID, f.Object.Kind, f.Object.Namespace, f.Object.Name, f.Reason, f.Message, f.At.UTC().String()), At: f.At, Cluster: cluster,
		Kind: f.Object.Kind, Namespace: f.Object.Namespace, Name: f.Object.Name, Reason: f.Reason, Severity: severity(f.Severity, api.SeverityInfo),
		Title: fmt.Sprintf("%s %s/%s: %s", f.Object.Kind, f.Object.Namespace, f.Object.Name, first(head, f.Reason)), Text: rest, Labels: map[string]string{},
		About: strings.Join([]string{"flux", cluster, f.Object.Kind, f.Object.Namespace, f.Object.Name}, "/"), Object: text,
	}
	for key, value := range f.Metadata {
		e.Labels[key[strings.LastIndexByte(key, '/')+1:]] = value
	}
	e.Resolved = f.Severity == "info" && (strings.HasSuffix(f.Reason, "Succeeded") || f.Reason == "ArtifactUpToDate" || f.Reason == "NewArtifact")
	return []api.Event{e}, nil
}

// severity is the one of ours that others' words mean.
func severity(theirs, without string) string {
	switch strings.ToLower(theirs) {
	case "critical", "page", "emergency", "fatal", "high":
		return api.SeverityCritical
	case "error", "warning", "warn", "medium":
		return api.SeverityWarning
	case "info", "information", "none", "ok", "low", "trace":
		return api.SeverityInfo
	}
	return without
}

func first(texts ...string) string {
	for _, s := range texts {
		if s != "" {
			return s
		}
	}
	return ""
}

func pairs(labels map[string]string) []string {
	var out []string
	for _, key := range slices.Sorted(maps.Keys(labels)) {
		out = append(out, key, labels[key])
	}
	return out
}
