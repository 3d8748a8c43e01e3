package app

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"ferry/internal/config"
)

// TestDeliveryAsApp is known to GitHub by the token that the App got.
func TestDeliveryAsApp(t *testing.T) {
	t.Parallel()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "app.pem")
	text := pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)})
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	asked := make(chan string, 10)
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost && r.URL.Path == "/app/installations/34/access_tokens" {
			w.WriteHeader(http.StatusCreated)
			fmt.Fprint(w, `{"token":"of-the-app","expires_at":"2099-01-01T00:00:00Z"}`)
			return
		}
		asked <- r.Header.Get("Authorization")
		http.Error(w, "{}", http.StatusNotFound)
	}))
	defer web.Close()
	d, err := newDelivery(&config.Config{
		Repo:   config.Repo{Owner: "acme", Name: "fleet", Branch: "main"},
		GitHub: config.GitHub{BaseURL: web.URL + "/", App: config.App{ID: "12", Installation: 34, KeyFile: file}},
	}, slog.New(slog.DiscardHandler), nil)
	if err != nil {
		t.Fatal(err)
	}
	rows := d.Check(t.Context())
	if rows[0].Detail != "GitHub App 12, installation 34" || !rows[0].OK {
		t.Errorf("%+v", rows[0])
	}
	if got := <-asked; got != "Bearer of-the-app" {
		t.Errorf("GitHub was asked as %q", got)
	}
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	c := &config.Config{
		Repo:   config.Repo{Owner: "acme", Name: "fleet", Branch: "main"},
		GitHub: config.GitHub{BaseURL: web.URL + "/", App: config.App{ID: "12", Installation: 34, KeyFile: file}},
	}
	if d, err = newDelivery(c, slog.New(slog.DiscardHandler), nil); err != nil {
		t.Fatal(err)
	}
	if rows := d.Check(t.Context()); rows[0].OK || !strings.Contains(rows[0].Help, "github.app.key_file") {
		t.Errorf("without its key: %+v", rows[0])
	}
}
