package apiserver

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"

	authn "k8s.io/api/authentication/v1"
	authz "k8s.io/api/authorization/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

func isReview(group string) bool {
	return group == authz.GroupName || group == authn.GroupName
}

// authorize returns the reason of a refusal also as the error of a request.
func (s *Server) authorize(user User, verb string, resource *Resource, sub, namespace, name string) (string, error) {
	full := resource.GroupResource().String()
	if sub != "" {
		full += "/" + sub
	}
	for _, rule := range user.Deny {
		if !selects(rule.Verbs, verb) || !selects(rule.Resources, full) || !selects(rule.Namespaces, namespace) {
			continue
		}
		where := "at the cluster scope"
		if namespace != "" {
			where = fmt.Sprintf("in the namespace %q", namespace)
		}
		named := resource.Name
		if sub != "" {
			named += "/" + sub
		}
		reason := fmt.Sprintf("User %q cannot %s resource %q in API group %q %s", user.Name, verb, named, resource.Group, where)
		return reason, apierrors.NewForbidden(resource.GroupResource(), name, fmt.Errorf("%s", reason))
	}
	return "", nil
}

func selects(list []string, value string) bool {
	return len(list) == 0 || slices.Contains(list, "*") || slices.Contains(list, value)
}

// review answers who one is and what one may do; nothing of it is stored.
func (s *Server) review(w http.ResponseWriter, r *request) error {
	if r.Method != http.MethodPost {
		return apierrors.NewMethodNotSupported(r.resource.GroupResource(), r.Method)
	}
	switch r.resource.Name {
	case "selfsubjectaccessreviews":
		var review authz.SelfSubjectAccessReview
		if err := decodeBody(r, &review); err != nil {
			return err
		}
		if a := review.Spec.ResourceAttributes; a != nil {
			resource := &Resource{GroupVersionKind: schema.GroupVersionKind{Group: a.Group}, Name: a.Resource}
			reason, err := s.authorize(r.user, a.Verb, resource, a.Subresource, a.Namespace, a.Name)
			review.Status = authz.SubjectAccessReviewStatus{Allowed: err == nil, Reason: reason}
		} else {
			review.Status.Allowed = true
		}
		review.TypeMeta = metav1.TypeMeta{APIVersion: "authorization.k8s.io/v1", Kind: "SelfSubjectAccessReview"}
		writeJSON(w, http.StatusCreated, review)
	case "selfsubjectrulesreviews":
		var review authz.SelfSubjectRulesReview
		if err := decodeBody(r, &review); err != nil {
			return err
		}
		review.TypeMeta = metav1.TypeMeta{APIVersion: "authorization.k8s.io/v1", Kind: "SelfSubjectRulesReview"}
		review.Status = s.rules(r.user, review.Spec.Namespace)
		writeJSON(w, http.StatusCreated, review)
	case "selfsubjectreviews":
		review := authn.SelfSubjectReview{TypeMeta: metav1.TypeMeta{APIVersion: "authentication.k8s.io/v1", Kind: "SelfSubjectReview"}}
		review.Status.UserInfo = authn.UserInfo{Username: r.user.Name, Groups: []string{"system:authenticated"}}
		writeJSON(w, http.StatusCreated, review)
	default:
		return apierrors.NewNotFound(r.resource.GroupResource(), "")
	}
	return nil
}

// rules lists what a user may do in a namespace, resource by resource, since
// RBAC has no word for "not".
func (s *Server) rules(user User, namespace string) authz.SubjectRulesReviewStatus {
	status := authz.SubjectRulesReviewStatus{NonResourceRules: []authz.NonResourceRule{}, ResourceRules: []authz.ResourceRule{}}
	if len(user.Deny) == 0 {
		all := []string{"*"}
		status.ResourceRules = append(status.ResourceRules, authz.ResourceRule{Verbs: all, APIGroups: all, Resources: all})
		return status
	}
	for _, resource := range s.store.Resources() {
		var verbs []string
		for _, verb := range allVerbs() {
			if _, err := s.authorize(user, verb, resource, "", namespace, ""); err == nil {
				verbs = append(verbs, verb)
			}
		}
		if len(verbs) > 0 {
			status.ResourceRules = append(status.ResourceRules, authz.ResourceRule{
				Verbs:     verbs,
				APIGroups: []string{resource.Group}, Resources: []string{resource.Name},
			})
		}
	}
	return status
}

func allVerbs() []string {
	return []string{"create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"}
}

func decodeBody(r *request, into any) error {
	raw, err := body(r)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(raw, into); err != nil {
		return apierrors.NewBadRequest(fmt.Sprintf("the object provided is unrecognized: %v", err))
	}
	return nil
}
