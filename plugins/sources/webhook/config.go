package webhook

import (
	"crypto/hmac"
	"crypto/sha1" //nolint:gosec // GitHub's older header
	"crypto/sha256"
	"crypto/sha512"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"net/http"
	"os"
	"strings"

	"sigs.k8s.io/yaml"
)

// config is what can be configured; schema.json says the same to ferry.
type config struct {
	Listen string `json:"listen"`
	Paths  []path `json:"paths"`
}

// path is where something is posted.
type path struct {
	Path string `json:"path"`
	// Format is alertmanager, flux or json, which needs a Map.
	Format  string  `json:"format"`
	Map     mapping `json:"map"`
	MaxBody int     `json:"max_body"`
	// Token is a bearer token, or the password of a basic authentication. Key
	// signs the body (HMAC), in Header. One of both is needed, unless Anybody.
	Token     string `json:"token"`
	TokenFile string `json:"token_file"`
	Key       string `json:"hmac_key"`
	KeyFile   string `json:"hmac_key_file"`
	Header    string `json:"hmac_header"`
	Anybody   bool   `json:"anybody"`
}

func parse(text []byte) (config, error) {
	c := config{Listen: ":9292"}
	if err := yaml.UnmarshalStrict(text, &c); err != nil {
		return config{}, fmt.Errorf("read the configuration: %w", err)
	}
	if len(c.Paths) == 0 {
		return config{}, errors.New("paths: name at least one")
	}
	seen := map[string]bool{}
	for i := range c.Paths {
		p := &c.Paths[i]
		if err := p.complete(); err != nil {
			return config{}, fmt.Errorf("paths[%d]: %w", i, err)
		}
		if seen[p.Path] {
			return config{}, fmt.Errorf("paths[%d]: %s is there twice", i, p.Path)
		}
		seen[p.Path] = true
	}
	return c, nil
}

func (p *path) complete() error {
	if p.MaxBody == 0 {
		p.MaxBody = 1 << 20
	}
	if p.Header == "" {
		p.Header = "X-Signature"
	}
	for file, into := range map[string]*string{p.TokenFile: &p.Token, p.KeyFile: &p.Key} {
		if file == "" {
			continue
		}
		text, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		if *into = strings.TrimSpace(string(text)); *into == "" {
			return fmt.Errorf("%s is empty", file)
		}
	}
	switch {
	case !strings.HasPrefix(p.Path, "/") || strings.ContainsAny(p.Path, "{} "):
		return fmt.Errorf("%q is no path", p.Path)
	case (p.Token+p.Key == "") != p.Anybody:
		return errors.New("say who may post: token, hmac_key, or `anybody: true`")
	}
	return nil
}

// knows says whether a request has the token.
func (p *path) knows(r *http.Request) bool {
	if p.Token == "" {
		return true
	}
	given, bearer := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if !bearer {
		_, given, _ = r.BasicAuth()
	}
	a, b := sha256.Sum256([]byte(given)), sha256.Sum256([]byte(p.Token))
	return subtle.ConstantTimeCompare(a[:], b[:]) == 1
}

// signed says whether a body has the signature that it should: algorithm=hex, as
// Flux, GitHub and others write it.
func (p *path) signed(r *http.Request, body []byte) bool {
	if p.Key == "" {
		return true
	}
	algorithm, sum, ok := strings.Cut(r.Header.Get(p.Header), "=")
	var by func() hash.Hash
	switch algorithm {
	case "sha1":
		by = sha1.New
	case "sha256":
		by = sha256.New
	case "sha512":
		by = sha512.New
	default:
		return false
	}
	given, err := hex.DecodeString(sum)
	if !ok || err != nil {
		return false
	}
	mac := hmac.New(by, []byte(p.Key))
	mac.Write(body)
	return hmac.Equal(given, mac.Sum(nil))
}
