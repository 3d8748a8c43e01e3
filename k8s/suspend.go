package k8s

import (
	"context"
	"fmt"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"ferry/internal/deploy"
	"ferry/internal/fault"
)

const (
	imageGroup      = "image.toolkit.fluxcd.io"
	imageAutomation = "ImageUpdateAutomation"
	// annotationSuspended names the job that suspended an automation last. It stays
	// when somebody resumes it.
	annotationSuspended = "ferry/suspended-by"
)

// SuspendAutomation sets spec.suspend of an ImageUpdateAutomation, as `flux suspend
// image update` does, so that it writes nothing until what Git says of it has
// arrived. It says so with the job's ID; repeating it does no harm, and an object
// that is not there is not made.
//
// What is set like this ferry's field manager owns: once Git says suspend: true
// both do, and only a value there (suspend: false) resumes it. Taking the line away
// does not.
//
// NotFound means that the cluster has no such object, or does not serve its kind;
// Denied that ferry may not; Unavailable that the cluster did not take it. In all
// of these cases what Git says will do the same, only later.
func (f *Fleet) SuspendAutomation(ctx context.Context, cluster deploy.Cluster, ref deploy.Ref, job string) error {
	c, err := f.member(cluster)
	if err != nil {
		return err
	}
	if ref.Kind != imageAutomation || ref.Namespace == "" || ref.Name == "" {
		return fmt.Errorf("suspend %s on %s: it is no %s", ref, cluster, imageAutomation)
	}
	r, err := c.client.imageAutomations(ctx)
	if err == nil {
		patch := map[string]any{
			"metadata": map[string]any{"annotations": map[string]string{annotationSuspended: job}}, "spec": map[string]any{"suspend": true},
		}
		if err = c.client.merge(ctx, r.path(ref.Namespace, ref.Name), patch); err == nil {
			return nil
		}
	}
	switch {
	case fault.Is(err, fault.NotFound):
		return fault.Newf(fault.NotFound, "%s serves no %s", c.name, imageAutomation).
			WithHelp("Flux's image automation is not installed there: whatever runs %s/%s does it elsewhere", ref.Namespace, ref.Name).Because(err)
	case apierrors.IsForbidden(err):
		return fault.Newf(fault.Denied, "ferry may not suspend %s on %s", ref, c.name).
			WithHelp("give it a role with patch on imageupdateautomations of %s; until then an automation may write once more before Git's word arrives\n`flux suspend image update %s -n %s` does it by hand", imageGroup, ref.Name, ref.Namespace).Because(err)
	case apierrors.IsNotFound(err):
		return fault.Newf(fault.NotFound, "%s is not on %s", ref, c.name).
			WithHelp("Git declares it there: Flux may not have applied that yet, or gives it another name").Because(err)
	}
	return fault.Newf(fault.Unavailable, "%s did not take the request to suspend %s", c.name, ref).
		WithHelp("`flux suspend image update %s -n %s` does it by hand", ref.Name, ref.Namespace).Because(err)
}

// imageAutomations finds out under which version ImageUpdateAutomations are served:
// the preferred one of their group, or another where that has no such kind, as in
// Flux before 2.3. NotFound if none has it.
func (c *client) imageAutomations(ctx context.Context) (resource, error) {
	var group metav1.APIGroup
	if err := c.get(ctx, "/apis/"+imageGroup, nil, &group); apierrors.IsNotFound(err) {
		return resource{}, fault.Newf(fault.NotFound, "the group %s is not served", imageGroup)
	} else if err != nil {
		return resource{}, fmt.Errorf("look for the group %s: %w", imageGroup, err)
	}
	for _, v := range append([]metav1.GroupVersionForDiscovery{group.PreferredVersion}, group.Versions...) {
		gv := schema.GroupVersion{Group: imageGroup, Version: v.Version}
		var served metav1.APIResourceList
		if err := c.get(ctx, "/apis/"+gv.String(), nil, &served); apierrors.IsNotFound(err) {
			continue
		} else if err != nil {
			return resource{}, fmt.Errorf("look for the kind %s: %w", imageAutomation, err)
		}
		for _, r := range served.APIResources {
			if r.Kind == imageAutomation && !strings.Contains(r.Name, "/") {
				return resource{gv, r.Kind, r.Name}, nil
			}
		}
	}
	return resource{}, fault.Newf(fault.NotFound, "no version of %s has the kind %s", imageGroup, imageAutomation)
}
