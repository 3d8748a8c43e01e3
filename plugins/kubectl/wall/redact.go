package wall

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
)

// tellsNothing are the beginnings of annotations whose values are no copy of a
// secret. Everything else that stands on a Secret may be one: tools keep what they
// applied in annotations of many names.
const tellsNothing = "kubernetes.io/service-account. meta.helm.sh/ cert-manager.io/ reconcile.fluxcd.io/ kustomize.toolkit.fluxcd.io/"

// hidden is what stands where something was taken out.
const hidden = "***"

// answer is what is known of one before it is read.
type answer struct {
	// secrets is true if the path was one of secrets: then everything in it is one,
	// whatever it says of itself.
	secrets bool
	// whole is true if rows of tables were asked for with their objects, extra if
	// kubectl did not ask for them.
	whole, extra bool
}

// redact writes the JSON documents of in to out without the data of any Secret.
// Documents without a Secret come out as they went in.
func redact(out io.Writer, in io.Reader, a answer) error {
	d := json.NewDecoder(in)
	for {
		var raw json.RawMessage
		if err := d.Decode(&raw); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return fmt.Errorf("read what the cluster answers: %w", err)
		}
		clean, err := document(raw, a)
		if err != nil {
			return err
		}
		if _, err := out.Write(append(clean, '\n')); err != nil {
			return err
		}
	}
}

// document redacts one document.
func document(raw []byte, a answer) ([]byte, error) {
	if a.whole {
		if clean, is, err := table(raw, a); is || err != nil {
			return clean, err
		}
	}
	// An escape could spell the word in another way.
	if !a.secrets && !bytes.Contains(raw, []byte("Secret")) && !bytes.Contains(raw, []byte(`\u`)) {
		return raw, nil
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		return nil, fmt.Errorf("read what the cluster answers: %w", err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("the cluster answers more than one document")
	}
	if !walk(v, a.secrets) {
		return raw, nil
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return nil, fmt.Errorf("write what the cluster answers: %w", err)
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

// walk takes out what is secret in v and in everything below it, and says whether
// there was a Secret.
func walk(v any, secrets bool) bool {
	found := false
	switch v := v.(type) {
	case []any:
		for _, item := range v {
			found = walk(item, secrets) || found
		}
	case map[string]any:
		secrets = secrets || isSecret(v)
		if secrets {
			found = true
			empty(v)
		} else {
			found = applied(v)
		}
		for key, item := range v {
			if !secrets || key != "data" && key != "stringData" && key != "metadata" {
				found = walk(item, secrets) || found
			}
		}
	}
	return found
}

// isSecret says whether a map is a Secret or a list of such, wherever it stands: also
// within an object of another kind, which somebody made to hold one.
func isSecret(v map[string]any) bool {
	kind, _ := v["kind"].(string)
	version, given := v["apiVersion"].(string)
	return (kind == "Secret" || kind == "SecretList") && (version == "v1" || !given)
}

// empty takes out what is secret in one map: values keep their length, so that
// their sizes are shown as they are.
func empty(v map[string]any) {
	if data, ok := v["data"].(map[string]any); ok {
		for key, value := range data {
			text, _ := value.(string)
			data[key] = base64.StdEncoding.EncodeToString(bytes.Repeat([]byte("*"), size(text)))
		}
	} else if _, ok := v["data"]; ok {
		v["data"] = nil
	}
	if data, ok := v["stringData"].(map[string]any); ok {
		for key := range data {
			data[key] = hidden
		}
	} else if _, ok := v["stringData"]; ok {
		v["stringData"] = nil
	}
	meta, _ := v["metadata"].(map[string]any)
	annotations, _ := meta["annotations"].(map[string]any)
	for key := range annotations {
		if !slices.ContainsFunc(strings.Fields(tellsNothing), func(p string) bool { return strings.HasPrefix(key, p) }) {
			annotations[key] = hidden
		}
	}
}

// applied redacts the copies of an object that kubectl apply and others left on it,
// in annotations of many names, and says whether there was a Secret in one.
func applied(v map[string]any) (found bool) {
	meta, _ := v["metadata"].(map[string]any)
	annotations, _ := meta["annotations"].(map[string]any)
	for key, value := range annotations {
		text, _ := value.(string)
		if !strings.HasPrefix(text, "{") && !strings.HasPrefix(text, "[") {
			continue
		}
		clean, err := document([]byte(text), answer{})
		if err != nil {
			clean = []byte(hidden)
		}
		annotations[key] = string(clean)
		found = found || annotations[key] != text
	}
	return found
}

// size is how many bytes a value of data has; 0 for what is no base64.
func size(text string) int {
	n, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return 0
	}
	return len(n)
}
