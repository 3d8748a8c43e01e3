package slack

import (
	"embed"
	"io/fs"
	"net/http"
)

//go:embed page
var pageFiles embed.FS

// pageRoutes serves the page and its assets. The policy allows nothing from
// elsewhere and no inline script: everything that was said is text.
func (s *Server) pageRoutes(mux *http.ServeMux) {
	files, err := fs.Sub(pageFiles, "page")
	if err != nil {
		panic("embedded page: " + err.Error()) // the build has it or does not build
	}
	serve := http.FileServerFS(files)
	guard := func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cache-Control", "no-cache")
		serve.ServeHTTP(w, r)
	}
	mux.HandleFunc("GET /{$}", guard)
	mux.HandleFunc("GET /assets/", guard)
}
