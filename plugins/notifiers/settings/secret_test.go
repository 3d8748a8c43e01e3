package settings_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"ferry/plugins/api"
	"ferry/plugins/notifiers/settings"
)

// old makes a file one that was written long ago.
func old(t *testing.T, path, text string, ago time.Duration) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	at := time.Now().Add(-ago)
	if err := os.Chtimes(path, at, at); err != nil {
		t.Fatal(err)
	}
}

// TestSecret reads a secret again when its file changed: as Kubernetes does it, with
// another file behind the same name, or in its place.
func TestSecret(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path, first, second := filepath.Join(dir, "token"), filepath.Join(dir, "1"), filepath.Join(dir, "2")
	old(t, first, " one\n", time.Hour)
	old(t, second, "two\n", time.Hour)
	turn := func(to string) {
		t.Helper()
		if err := errors.Join(os.Symlink(to, path+".new"), os.Rename(path+".new", path)); err != nil {
			t.Fatal(err)
		}
	}
	s := settings.Secret{Key: "token_file", Path: path}
	is := func(want string) {
		t.Helper()
		if got, err := s.Value(); err != nil || got != want {
			t.Errorf("it is %q, %v, want %q", got, err, want)
		}
	}
	turn(first)
	is("one")
	is("one")
	turn(second)
	is("two")
	old(t, second, "two and a half", time.Minute)
	is("two and a half")

	// One that is gone is no secret, however often it was read.
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if got, err := s.Value(); err == nil || got != "" || err.Error() != "token_file: "+path+": no such file or directory" {
		t.Errorf("it is %q, %v, but there is none", got, err)
	}
	turn(first)
	is("one")
}

// TestSecretWithinATick: a file that changed a moment ago may change once more without
// its times showing it.
func TestSecretWithinATick(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "token")
	at := time.Now()
	s := settings.Secret{Key: "token_file", Path: path}
	for _, want := range []string{"one", "two"} {
		if err := errors.Join(os.WriteFile(path, []byte(want), 0o600), os.Chtimes(path, at, at)); err != nil {
			t.Fatal(err)
		}
		if got, err := s.Value(); err != nil || got != want {
			t.Errorf("it is %q, %v, want %q", got, err, want)
		}
	}
}

// TestSecretIsNotReadEachTime: while nothing changes it looks and does not read.
func TestSecretIsNotReadEachTime(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "token")
	old(t, path, "one", time.Hour)
	judged := 0
	s := settings.Secret{Key: "token_file", Path: path, Judge: func(string) error { judged++; return nil }}
	for range 5 {
		if _, err := s.Value(); err != nil {
			t.Fatal(err)
		}
	}
	if judged != 1 {
		t.Errorf("it was read %d times", judged)
	}
}

// TestJudge: a file that is missing or empty is waited for, unless something is wrong
// besides that nobody mends by writing it.
func TestJudge(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	old(t, filepath.Join(dir, "empty"), "\n", time.Hour)
	file := func(name string) error {
		_, err := (&settings.Secret{Key: "token_file", Path: filepath.Join(dir, name), Judge: func(string) error { return errors.New("no token") }}).Value()
		return err
	}
	old(t, filepath.Join(dir, "wrong"), "x", time.Hour)
	for name, c := range map[string]struct {
		errs  []error
		says  string
		waits bool
	}{
		"nothing":           {[]error{nil, nil}, "", false},
		"missing":           {[]error{file("none"), nil}, "token_file: " + dir + "/none: no such file or directory", true},
		"folder missing":    {[]error{nil, file("none/token")}, "token_file: " + dir + "/none/token: no such file or directory", true},
		"empty":             {[]error{file("empty")}, "token_file: " + dir + "/empty: it is empty", true},
		"both":              {[]error{file("none"), file("empty")}, "token_file: " + dir + "/none: no such file or directory\ntoken_file: " + dir + "/empty: it is empty", true},
		"wrong":             {[]error{file("wrong")}, "token_file: " + dir + "/wrong: no token", false},
		"missing and wrong": {[]error{file("none"), settings.Nowhere("x")}, "token_file: " + dir + "/none: no such file or directory\n" + settings.Nowhere("x").Error(), false},
	} {
		err := settings.Judge(c.errs...)
		after, again := api.Retry(err)
		if (err == nil) != (c.says == "") || err != nil && err.Error() != c.says || again != c.waits || again && after != 2*time.Second {
			t.Errorf("%s: %v, again %v after %s", name, err, again, after)
		}
	}
}

func TestOnce(t *testing.T) {
	t.Parallel()
	var o settings.Once[string]
	reads := 0
	read := func(text []byte) (*string, error) {
		reads++
		if len(text) == 0 {
			return nil, errors.New("nothing")
		}
		s := string(text)
		return &s, nil
	}
	for _, text := range []string{"", "a", "a", "b", "b", ""} {
		got, err := o.Of([]byte(text), read)
		if (err != nil) != (text == "") || err == nil && *got != text {
			t.Errorf("%q was read as %v, %v", text, got, err)
		}
	}
	if reads != 4 {
		t.Errorf("it was read %d times", reads)
	}
}
