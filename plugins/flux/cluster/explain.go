package cluster

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"ferry/plugins/flux/line"
)

// Missing says that a cluster serves no objects of a kind.
type Missing struct {
	Kind  line.Kind
	Group bool // nothing of its group is served
}

func (m *Missing) Error() string {
	switch {
	case m.Group && m.Kind.Group == line.Image:
		return "there is no image automation on this cluster: it serves nothing of " + m.Kind.Group
	case m.Group:
		return "there is no Flux on this cluster: it serves nothing of " + m.Kind.Group
	}
	return fmt.Sprintf("Flux on this cluster has no %s: it is of another version", m.Kind.Plural)
}

// IsMissing says whether that is why something is not there.
func IsMissing(err error) bool {
	_, ok := errors.AsType[*Missing](err)
	return ok
}

// IsNotFound says whether there is no such object.
func IsNotFound(err error) bool { return apierrors.IsNotFound(err) }

// IsForbidden says whether the cluster, or the wall, does not let it be done.
func IsForbidden(err error) bool { return apierrors.IsForbidden(err) }

// explain says for people what a cluster's answer means.
func explain(err error) error {
	unreached, away := errors.AsType[*url.Error](err)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("the cluster does not answer in time: %w", context.DeadlineExceeded)
	case away:
		return fmt.Errorf("the cluster does not answer: %w", unreached.Err)
	case apierrors.IsForbidden(err) && strings.HasPrefix(err.Error(), "ferry: "):
		return fmt.Errorf("not let through: %w", err)
	case apierrors.IsForbidden(err):
		return fmt.Errorf("the cluster's RBAC says no: %w", err)
	case apierrors.IsUnauthorized(err):
		return fmt.Errorf("the cluster does not know the kubeconfig's credentials: %w", err)
	}
	return err
}
