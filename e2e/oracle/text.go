package oracle

import (
	"bytes"
	"path"
	"regexp"
	"slices"
	"strings"
	"unicode/utf16"
)

// kustomizationNames are what kustomize takes for one, in its order.
var kustomizationNames = []string{"kustomization.yaml", "kustomization.yml", "Kustomization"}

func isKustomization(name string) bool { return slices.Contains(kustomizationNames, path.Base(name)) }

// long is the size from which a file is worth taking its CRDs out.
const long = 32 << 10

var crdKind = regexp.MustCompile(`(?m)^kind:[ \t]*["']?CustomResourceDefinition["']?[ \t\r]*$`)

// withoutCRDs drops the CustomResourceDefinitions of a long file, unless nothing would be left.
func withoutCRDs(text []byte) []byte {
	if len(text) < long || !crdKind.Match(text) {
		return text
	}
	var kept [][]byte
	for _, doc := range bytes.Split(text, []byte("\n---")) {
		if !crdKind.Match(doc) {
			kept = append(kept, doc)
		}
	}
	if len(kept) == 0 || len(bytes.TrimSpace(bytes.Join(kept, nil))) < 10 {
		return text
	}
	return bytes.Join(kept, []byte("\n---"))
}

func remote(s string) bool {
	return strings.Contains(s, "://") || strings.HasPrefix(s, "github.com") || strings.HasPrefix(s, "git@") || strings.HasPrefix(s, "git::") || strings.Contains(s, "?ref=")
}

// utf8Text turns UTF-16 with a byte order mark into what every YAML reader takes.
func utf8Text(text []byte) []byte {
	if len(text) < 2 || text[0] != 0xff || text[1] != 0xfe {
		return text
	}
	units := make([]uint16, 0, len(text)/2)
	for i := 2; i+1 < len(text); i += 2 {
		units = append(units, uint16(text[i])|uint16(text[i+1])<<8)
	}
	return []byte(string(utf16.Decode(units)))
}
