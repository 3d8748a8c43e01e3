package apiserver

import (
	"encoding/json"
	"fmt"
	"net/http"

	jsonpatch "gopkg.in/evanphx/json-patch.v4"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	ktypes "k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/strategicpatch"
	"sigs.k8s.io/yaml"
)

func (s *Server) patch(w http.ResponseWriter, r *request) error {
	raw, err := body(r)
	if err != nil {
		return err
	}
	media := r.media()
	if ktypes.PatchType(media) == ktypes.ApplyYAMLPatchType {
		return s.apply(w, r, raw)
	}
	return s.modify(w, r, func(content map[string]any) (map[string]any, error) {
		switch ktypes.PatchType(media) {
		case ktypes.JSONPatchType:
			return patchJSON(r.resource, content, raw)
		case ktypes.MergePatchType:
			return patchMerge(content, raw)
		case ktypes.StrategicMergePatchType:
			return patchStrategic(r.resource, content, raw)
		}
		return nil, unsupported(media)
	})
}

func patchJSON(r *Resource, content map[string]any, raw []byte) (map[string]any, error) {
	patch, err := jsonpatch.DecodePatch(raw)
	if err != nil {
		return nil, apierrors.NewBadRequest(fmt.Sprintf("error decoding patch: %v", err))
	}
	document, err := json.Marshal(content)
	if err != nil {
		return nil, err
	}
	patched, err := patch.Apply(document)
	if err != nil {
		return nil, apierrors.NewGenericServerResponse(http.StatusUnprocessableEntity, "", r.GroupResource(), "",
			err.Error(), 0, false)
	}
	var after map[string]any
	return after, json.Unmarshal(patched, &after)
}

func patchMerge(content map[string]any, raw []byte) (map[string]any, error) {
	var patch map[string]any
	if err := json.Unmarshal(raw, &patch); err != nil {
		return nil, apierrors.NewBadRequest(fmt.Sprintf("error decoding patch: %v", err))
	}
	return overlay(content, patch), nil
}

// patchStrategic merges lists by their keys, where Go types tell which those are;
// custom resources have no such patch on a real server either.
func patchStrategic(r *Resource, content map[string]any, raw []byte) (map[string]any, error) {
	var schema any
	switch r.Kind {
	case "Deployment":
		schema = &appsv1.Deployment{}
	case "ReplicaSet":
		schema = &appsv1.ReplicaSet{}
	case "StatefulSet":
		schema = &appsv1.StatefulSet{}
	case "DaemonSet":
		schema = &appsv1.DaemonSet{}
	case "Pod":
		schema = &corev1.Pod{}
	default:
		if r.Group != "" {
			return nil, unsupported(string(ktypes.StrategicMergePatchType))
		}
		return patchMerge(content, raw)
	}
	var patch map[string]any
	if err := json.Unmarshal(raw, &patch); err != nil {
		return nil, apierrors.NewBadRequest(fmt.Sprintf("error decoding patch: %v", err))
	}
	merged, err := strategicpatch.StrategicMergeMapPatch(content, patch, schema)
	if err != nil {
		return nil, apierrors.NewBadRequest(err.Error())
	}
	return merged, nil
}

// apply is a server-side apply without ownership of fields: what is stated is
// merged over what is there, as a strategic patch for built-in kinds.
func (s *Server) apply(w http.ResponseWriter, r *request, raw []byte) error {
	if r.URL.Query().Get("fieldManager") == "" {
		return apierrors.NewBadRequest("PatchOptions.meta.k8s.io \"\" is invalid: fieldManager: Required value: is required for apply patch")
	}
	stated, err := yaml.YAMLToJSON(raw)
	if err != nil {
		return apierrors.NewBadRequest(fmt.Sprintf("error decoding YAML: %v", err))
	}
	var content map[string]any
	if err := json.Unmarshal(stated, &content); err != nil {
		return apierrors.NewBadRequest(fmt.Sprintf("error decoding YAML: %v", err))
	}
	if err := r.check(content); err != nil {
		return err
	}
	if s.store.Get(r.resource, r.key()) == nil && r.sub == "" && !dryRun(r) {
		child(content, "metadata")["name"] = r.name
		o, err := s.store.Create(r.resource, content)
		if err == nil {
			writeRaw(w, http.StatusCreated, o.Raw)
		}
		return err
	}
	return s.modify(w, r, func(current map[string]any) (map[string]any, error) {
		if merged, err := patchStrategic(r.resource, current, stated); err == nil {
			return merged, nil
		}
		return patchMerge(current, stated)
	})
}
