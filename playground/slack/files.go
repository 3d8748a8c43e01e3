package slack

import (
	"cmp"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
	"unicode/utf8"
)

// file is an upload: announced, then filled, then completed, once each. Until then
// nobody sees it.
type file struct {
	id, name, title   string
	app               *app
	length            int
	body              []byte
	filled, completed bool
}

const maxUpload = 64 << 20

func (s *Server) uploadURL(c *call) (map[string]any, error) {
	length := c.int("length", 0)
	switch {
	case c.str("filename") == "" || length <= 0:
		return nil, slackError("missing_argument")
	case length > maxUpload:
		return nil, slackError("file_upload_size_restricted")
	}
	f := &file{id: s.nextID("F"), name: c.str("filename"), app: c.app, length: length}
	s.files[f.id] = f
	return map[string]any{"upload_url": s.baseURL + "/upload/v1/" + f.id, "file_id": f.id}, nil
}

// uploading is what faults and counts call the upload itself, which is no method.
const uploading = "upload"

// serveUpload takes the bytes, raw or as the form's first file.
func (s *Server) serveUpload(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	fault := s.faults.take(uploading)
	code := ""
	if fault != nil && fault.fails() {
		code = fault.label()
	}
	s.count(uploading, code)
	s.mu.Unlock()
	if code != "" {
		fault.answer(w)
		return
	}
	body := io.Reader(http.MaxBytesReader(w, r.Body, maxUpload))
	if strings.HasPrefix(r.Header.Get("Content-Type"), "multipart/") {
		parts, err := r.MultipartReader()
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		part, err := parts.NextPart()
		for err == nil && part.FileName() == "" {
			part, err = parts.NextPart()
		}
		if err != nil {
			http.Error(w, "no file in the form", http.StatusBadRequest)
			return
		}
		body = io.LimitReader(part, maxUpload)
	}
	content, err := io.ReadAll(body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	s.mu.Lock()
	f := s.files[r.PathValue("id")]
	known := f != nil && !f.filled
	fits := known && len(content) == f.length
	if fits {
		f.body, f.filled = content, true
	}
	s.mu.Unlock()
	switch {
	case !known:
		http.Error(w, "no such upload", http.StatusNotFound)
		return
	case !fits:
		http.Error(w, "not of the length that was announced", http.StatusBadRequest)
		return
	}
	_, _ = io.WriteString(w, "OK - "+f.name) // the caller went away
}

// completeUpload shares what was uploaded, which can be done once.
func (s *Server) completeUpload(c *call) (map[string]any, error) {
	var wanted []struct{ ID, Title string }
	if err := json.Unmarshal(c.json("files"), &wanted); err != nil || len(wanted) == 0 {
		return nil, slackError("invalid_arguments")
	}
	channels, err := s.sharedTo(c)
	if err != nil {
		return nil, err
	}
	for _, want := range wanted {
		if f := s.files[want.ID]; f == nil || f.app != c.app || !f.filled || f.completed {
			return nil, slackError("file_not_found")
		}
	}
	var infos []FileInfo
	answer := []map[string]any{}
	for _, want := range wanted {
		f := s.files[want.ID]
		f.title, f.completed = cmp.Or(want.Title, f.name), true
		infos = append(infos, f.info())
		answer = append(answer, map[string]any{"id": f.id, "title": f.title})
	}
	for _, ch := range channels {
		m := &Message{
			User: c.app.BotUserID, BotID: c.app.BotID, AppID: c.app.ID,
			Text: said(c.str("initial_comment")), ThreadTS: c.str("thread_ts"), Files: infos,
		}
		s.add(ch, m)
		s.announce(ch, m)
	}
	return map[string]any{"files": answer}, nil
}

// sharedTo are the channels that a file is shared to: none, one by channel_id, or
// several, but those not into a thread.
func (s *Server) sharedTo(c *call) (out []*channel, err error) {
	refs := strings.FieldsFunc(c.str("channels"), func(r rune) bool { return r == ',' || r == ' ' })
	if one := c.str("channel_id"); one != "" {
		refs = []string{one}
	}
	if c.str("thread_ts") != "" && len(refs) != 1 {
		return nil, slackError("invalid_arguments", "thread_ts goes with one channel")
	}
	for _, ref := range refs {
		c.args["channel"] = mustJSON(ref)
		ch, err := s.target(c)
		if err != nil {
			return nil, err
		}
		out = append(out, ch)
	}
	return out, nil
}

func (f *file) info() FileInfo {
	out := FileInfo{ID: f.id, Name: f.name, Title: f.title, Size: len(f.body), URL: "/files/" + f.id + "/" + url.PathEscape(f.name)}
	if utf8.Valid(f.body) {
		out.Preview = cut(string(f.body), 2000)
	}
	return out
}

func (s *Server) wireFiles(files []FileInfo) []map[string]any {
	out := []map[string]any{}
	for _, f := range files {
		out = append(out, map[string]any{
			"id": f.ID, "name": f.Name, "title": f.Title, "size": f.Size, "mode": "hosted",
			"url_private": s.baseURL + f.URL, "url_private_download": s.baseURL + f.URL,
		})
	}
	return out
}

// serveFile gives a shared file, always as plain text: it may hold anything.
func (s *Server) serveFile(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	f := s.files[r.PathValue("id")]
	var body []byte
	if f != nil && f.completed {
		body = f.body
	}
	s.mu.Unlock()
	if body == nil {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	http.ServeContent(w, r, "", time.Time{}, strings.NewReader(string(body)))
}
