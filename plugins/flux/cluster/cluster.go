// Package cluster asks one cluster about Flux's objects, as whoever the line is for.
// Every request passes the kubectl executor's wall, which knows no lines: it holds
// method, path and headers against the grant that was made of the rules, so that
// what the rest of this plugin gets wrong does not reach the cluster.
//
// Which versions of an API are served is asked, since clusters have Flux of
// different ages; objects are read by the fields that all versions have.
package cluster

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"

	"ferry/plugins/flux/line"
	"ferry/plugins/kubectl/rules"
	"ferry/plugins/kubectl/wall"
)

// answer is how long one request may take.
const answer = 15 * time.Second

// page is how many objects are asked for at once.
const page = 500

// Client is a way into one cluster for one line. It is for one goroutine.
type Client struct {
	dynamic dynamic.Interface
	paper   rest.Interface
	served  map[string]map[string]string // group → plural → version
}

// Connect makes a client of a kubeconfig. It sends nothing.
func Connect(kubeconfig []byte, grant rules.Grant) (*Client, error) {
	config, err := wall.Config(kubeconfig, grant)
	if err != nil {
		return nil, err
	}
	config.UserAgent, config.QPS, config.Burst, config.Timeout = "ferry-flux", 50, 100, 0
	way, err := rest.HTTPClientFor(config)
	if err != nil {
		return nil, fmt.Errorf("use the cluster's kubeconfig: %w", err)
	}
	objects, err := dynamic.NewForConfigAndClient(config, way)
	if err != nil {
		return nil, fmt.Errorf("use the cluster's kubeconfig: %w", err)
	}
	known := runtime.NewScheme()
	metav1.AddToGroupVersion(known, schema.GroupVersion{Version: "v1"})
	config.NegotiatedSerializer = serializer.NewCodecFactory(known).WithoutConversion()
	paper, err := rest.UnversionedRESTClientForConfigAndClient(config, way)
	if err != nil {
		return nil, fmt.Errorf("use the cluster's kubeconfig: %w", err)
	}
	return &Client{dynamic: objects, paper: paper, served: map[string]map[string]string{}}, nil
}

// resource is where a kind's objects are; its error says that they are nowhere.
func (c *Client) resource(ctx context.Context, k line.Kind) (dynamic.NamespaceableResourceInterface, error) {
	kinds, ok := c.served[k.Group]
	if !ok {
		var err error
		if kinds, err = c.discover(ctx, k.Group); err != nil {
			return nil, explain(err)
		}
		c.served[k.Group] = kinds
	}
	version, ok := kinds[k.Plural]
	if !ok {
		return nil, &Missing{Kind: k, Group: len(kinds) == 0}
	}
	return c.dynamic.Resource(schema.GroupVersionResource{Group: k.Group, Version: version, Resource: k.Plural}), nil
}

// discover returns the version of each kind of a group, the preferred first; none if
// the group is not served.
func (c *Client) discover(ctx context.Context, group string) (map[string]string, error) {
	ctx, cancel := context.WithTimeout(ctx, answer)
	defer cancel()
	read := func(into any, path ...string) error {
		raw, err := patiently(ctx, func() ([]byte, error) {
			return c.paper.Get().AbsPath(append([]string{"/apis", group}, path...)...).DoRaw(ctx)
		})
		if err != nil {
			return err
		}
		return json.Unmarshal(raw, into)
	}
	kinds := map[string]string{}
	var of metav1.APIGroup
	switch err := read(&of); {
	case IsNotFound(err):
		return kinds, nil
	case err != nil:
		return nil, err
	}
	for _, v := range append([]metav1.GroupVersionForDiscovery{of.PreferredVersion}, of.Versions...) {
		var list metav1.APIResourceList
		if err := read(&list, v.Version); err != nil {
			return nil, err
		}
		for _, r := range list.APIResources {
			if _, ok := kinds[r.Name]; !ok {
				kinds[r.Name] = v.Version
			}
		}
	}
	return kinds, nil
}

// Get reads one object.
func (c *Client) Get(ctx context.Context, k line.Kind, namespace, name string) (Object, error) {
	r, err := c.resource(ctx, k)
	if err != nil {
		return Object{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, answer)
	defer cancel()
	o, err := patiently(ctx, func() (*unstructured.Unstructured, error) {
		return r.Namespace(namespace).Get(ctx, name, metav1.GetOptions{})
	})
	if err != nil {
		return Object{}, explain(err)
	}
	return Object{Kind: k, Unstructured: o}, nil
}

// List reads all objects of a kind in a namespace, "" for all, that have the labels.
func (c *Client) List(ctx context.Context, k line.Kind, namespace, labels string) ([]Object, error) {
	r, err := c.resource(ctx, k)
	if err != nil {
		return nil, err
	}
	var out []Object
	options := metav1.ListOptions{LabelSelector: labels, Limit: page}
	for {
		list, err := c.page(ctx, r.Namespace(namespace), options)
		if err != nil {
			return nil, explain(err)
		}
		out = append(out, objects(k, list)...)
		if options.Continue = list.GetContinue(); options.Continue == "" {
			return out, nil
		}
	}
}

// Patch changes an object by a merge patch, which may be sent more than once, and
// returns what came of it.
func (c *Client) Patch(ctx context.Context, o Object, patch any) (Object, error) {
	r, err := c.resource(ctx, o.Kind)
	if err != nil {
		return Object{}, err
	}
	text, err := json.Marshal(patch)
	if err != nil {
		return Object{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, answer)
	defer cancel()
	now, err := patiently(ctx, func() (*unstructured.Unstructured, error) {
		return r.Namespace(o.GetNamespace()).Patch(ctx, o.GetName(), types.MergePatchType, text, metav1.PatchOptions{FieldManager: "ferry-flux"})
	})
	if err != nil {
		return Object{}, explain(err)
	}
	return Object{Kind: o.Kind, Unstructured: now}, nil
}

// Serves says whether a cluster has objects of a kind; one that does not answer has.
func (c *Client) Serves(ctx context.Context, k line.Kind) bool {
	_, err := c.resource(ctx, k)
	return !IsMissing(err)
}
