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
	"io/fs"
	"net/http"
	"os"
	"strings"
	"time"

	"sigs.k8s.io/yaml"

	"ferry/plugins/api"
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

// read reads all that stands in a configuration, and what it names.
func read(text []byte) (config, error) {
	c, err := parse(text)
	if err == nil {
		err = c.secrets()
	}
	return c, err
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
	switch {
	case !strings.HasPrefix(p.Path, "/") || strings.ContainsAny(p.Path, "{} "):
		return fmt.Errorf("%q is no path", p.Path)
	case (p.Token+p.TokenFile+p.Key+p.KeyFile == "") != p.Anybody:
		return errors.New("say who may post: token, hmac_key, or `anybody: true`")
	}
	return nil
}

// secrets reads the files that hold them. One that is missing or empty may come: it is
// worth another try.
func (c *config) secrets() error {
	for i := range c.Paths {
		p := &c.Paths[i]
		if err := errors.Join(secret("token_file", p.TokenFile, &p.Token), secret("hmac_key_file", p.KeyFile, &p.Key)); err != nil {
			return fmt.Errorf("paths[%d]: %w", i, err)
		}
	}
	return nil
}

// lookAgain is how soon one looks again whether a file is there.
const lookAgain = 2 * time.Second

func secret(key, file string, into *string) error {
	if file == "" {
		return nil
	}
	text, err := os.ReadFile(file)
	switch *into = strings.TrimSpace(string(text)); {
	case errors.Is(err, fs.ErrNotExist):
		return api.Again(fmt.Errorf("%s: %w", key, err), lookAgain)
	case err != nil:
		return fmt.Errorf("%s: %w", key, err)
	case *into == "":
		return api.Again(fmt.Errorf("%s: %s is empty", key, file), lookAgain)
	}
	return nil
}

// knows says whether a request has the token.
func (p *path) knows(r *http.Request) bool {
	if p.Token == "" {
		return p.TokenFile == "" // one that was not read lets nobody in
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
		return p.KeyFile == ""
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
