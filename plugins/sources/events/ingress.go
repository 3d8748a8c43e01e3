package events

import (
	"context"
	"fmt"
	"maps"
	"net/url"
	"path"
	"strings"
	"time"

	"ferry/plugins/api"
	"ferry/plugins/sources/cluster"
)

type ingress struct {
	Metadata cluster.Meta `json:"metadata"`
	Spec     struct {
		Default *backend `json:"defaultBackend"`
		TLS     []struct {
			Secret string `json:"secretName"`
		} `json:"tls"`
		Rules []struct {
			HTTP struct {
				Paths []struct {
					Path    string  `json:"path"`
					Backend backend `json:"backend"`
				} `json:"paths"`
			} `json:"http"`
		} `json:"rules"`
	} `json:"spec"`
}

type backend struct {
	Service *struct {
		Name string `json:"name"`
		Port struct {
			Name   string `json:"name"`
			Number int    `json:"number"`
		} `json:"port"`
	} `json:"service"`
}

type service struct {
	Metadata cluster.Meta `json:"metadata"`
	Spec     struct {
		Ports []struct {
			Name   string `json:"name"`
			Number int    `json:"port"`
		} `json:"ports"`
	} `json:"spec"`
}

type secret struct {
	Metadata cluster.Meta `json:"metadata"`
}

func (i ingress) meta() *cluster.Meta { return &i.Metadata }
func (s service) meta() *cluster.Meta { return &s.Metadata }
func (s secret) meta() *cluster.Meta  { return &s.Metadata }

// grace is for how long what an Ingress names may be missing: it may be made after it.
const grace = 10 * time.Second

// ingresses follows Ingresses and what they name. Of Secrets nothing but their
// metadata ever leaves the API server.
func (w *watcher) ingresses() []func(context.Context) error {
	missing := map[string]time.Time{}
	look := func(i *ingress, l lens) view { return w.lookAtIngress(i, l, missing) }
	again := func(tell func(api.Event)) {
		w.forgetMissing(missing)
		for _, i := range w.routes {
			w.tracker.see("ingresses", i.Metadata.Key(), w.now(), func(now time.Time) view { return look(&i, w.lens("ingresses", now)) }, tell)
		}
	}
	out := []func(context.Context) error{
		names(w, "ingresses", "/apis/networking.k8s.io/v1/ingresses", nil, w.routes, func(i ingress) ingress { return i }, again),
		names(w, "services", "/api/v1/services", nil, w.services, func(s service) service { return s }, again),
	}
	if !w.config.skips(ingressTLS) {
		query := url.Values{"fieldSelector": {"type!=helm.sh/release.v1"}}
		out = append(out, names(w, "secrets", "/api/v1/secrets", query, w.secrets, func(secret) bool { return true }, again))
	}
	return out
}

// forgetMissing forgets what Ingresses missed that are gone: one that comes again under
// the name of one is given time again.
func (w *watcher) forgetMissing(since map[string]time.Time) {
	maps.DeleteFunc(since, func(key string, _ time.Time) bool {
		_, there := w.routes[path.Dir(key)]
		return !there
	})
}

// names keeps a map of what there is of a kind, and has all Ingresses judged again
// when it changes.
func names[T looked, V any](w *watcher, resource, path string, query url.Values, into map[string]V, keep func(T) V, again func(func(api.Event))) func(context.Context) error {
	forget := func(key string, tell func(api.Event)) {
		delete(into, key)
		w.tracker.gone(resource, key, w.now(), tell)
	}
	f := &cluster.Feed[T]{
		Client: w.client, Path: path, Query: query, Metadata: resource == "secrets", Trouble: w.troubled(resource), Troubled: w.cursor.Troubled[resource],
		Listed: func(ctx context.Context, items []T, _, _ string, _ bool) error {
			return w.out.Do(ctx, func(tell func(api.Event)) {
				clear(into)
				there := map[string]bool{}
				for _, item := range items {
					into[item.meta().Key()] = keep(item)
					there[item.meta().Key()] = true
				}
				w.tracker.only(resource, there, w.now(), tell)
				again(tell)
			})
		},
		Changed: func(ctx context.Context, how cluster.Change, item T, _ string) error {
			return w.out.Do(ctx, func(tell func(api.Event)) {
				key := item.meta().Key()
				_, had := into[key]
				if how == cluster.Deleted {
					forget(key, tell)
				} else {
					into[key] = keep(item)
				}
				if resource != "secrets" || had != (how != cluster.Deleted) {
					again(tell)
				}
			})
		},
	}
	return f.Run
}

// lookAtIngress says what an Ingress names that is not there.
func (w *watcher) lookAtIngress(i *ingress, l lens, missing map[string]time.Time) view {
	s := &seeing{lens: l, subject: subject{Kind: "Ingress", Namespace: i.Metadata.Namespace, Name: i.Metadata.Name}, labels: map[string]string{}}
	if !l.config.covers(i.Metadata.Namespace) {
		return s.view
	}
	s.missing(ingressBackend, "leads to a backend that is not there", w.backends(i), missing, w.tracker.ready(ingressBackend))
	var none []string
	for _, t := range i.Spec.TLS {
		if t.Secret != "" && !w.secrets[i.Metadata.Namespace+"/"+t.Secret] {
			none = append(none, "there is no Secret "+t.Secret)
		}
	}
	s.missing(ingressTLS, "has no certificate", none, missing, w.tracker.ready(ingressTLS))
	return s.view
}

// missing finds what has been missing for a while.
func (s *seeing) missing(reason, says string, what []string, since map[string]time.Time, sure bool) {
	key := s.Namespace + "/" + s.Name + "/" + reason
	if len(what) == 0 || !sure {
		delete(since, key)
		return
	}
	if since[key].IsZero() {
		since[key] = s.now
	}
	if wait := min(grace, time.Duration(s.config.ResolveAfter)); !s.until(since[key].Add(wait)) {
		s.find(finding{Reason: reason, Stamp: stamp(since[key]), Says: says, Text: strings.Join(what, "\n")})
	}
}

func (w *watcher) backends(i *ingress) []string {
	var all []backend
	if i.Spec.Default != nil {
		all = append(all, *i.Spec.Default)
	}
	for _, r := range i.Spec.Rules {
		for _, p := range r.HTTP.Paths {
			all = append(all, p.Backend)
		}
	}
	var out []string
	for _, b := range all {
		if b.Service == nil {
			continue
		}
		svc, ok := w.services[i.Metadata.Namespace+"/"+b.Service.Name]
		if !ok {
			out = append(out, "there is no Service "+b.Service.Name)
			continue
		}
		found := false
		for _, p := range svc.Spec.Ports {
			found = found || p.Number == b.Service.Port.Number || p.Name != "" && p.Name == b.Service.Port.Name
		}
		if !found {
			out = append(out, fmt.Sprintf("the Service %s has no port %s%s", b.Service.Name, b.Service.Port.Name, number(b.Service.Port.Number)))
		}
	}
	return out
}

func number(n int) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprint(n)
}
