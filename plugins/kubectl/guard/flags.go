package guard

import (
	"regexp"
	"strings"
)

// Flag is one that a verb takes.
type Flag struct {
	Long  string
	Short byte // 0 for none
	// Switch is true for one that takes no value but true and false.
	Switch bool
	// Value is the pattern of its values.
	Value string
}

// Setting is a flag with its value, as kubectl gets it.
type Setting struct{ Flag, Value string }

func (s Setting) String() string { return "--" + s.Flag + "=" + s.Value }

// switched and valued make flags; short is "" for none.
func switched(long, short string) Flag { return Flag{Long: long, Short: first(short), Switch: true} }

func valued(long, short, pattern string) Flag {
	return Flag{Long: long, Short: first(short), Value: pattern}
}

func first(s string) byte {
	if s == "" {
		return 0
	}
	return s[0]
}

// What values look like.
const (
	number    = `-?[0-9]{1,9}`
	name      = `[A-Za-z0-9](?:[A-Za-z0-9._:-]*[A-Za-z0-9])?`
	listOf    = `[A-Za-z0-9][A-Za-z0-9._/,-]*`
	duration  = `(?:[0-9]{1,6}(?:s|m|h))+`
	anything  = `[^@].*`
	kubeSpace = `[a-z0-9](?:[a-z0-9-]*[a-z0-9])?`
)

// maxValue is the most bytes of a name or a value.
const maxValue = 1000

// fits says whether a text is a value of a pattern, the whole of it.
func fits(pattern, text string) bool {
	return len(text) <= maxValue && regexp.MustCompile(`^(?:`+pattern+`)$`).MatchString(text)
}

// flags splits words into what is named and what is set. It reads them as pflag
// does, but for what it does not read at all: a flag twice, a value apart from its
// flag that begins with a dash, and `--`.
type flags struct {
	verb  *Verb
	words []Word
	args  []Word
	set   []Setting
}

func readFlags(v *Verb, words []Word) (args []Word, set []Setting, err error) {
	f := flags{verb: v, words: words}
	for len(f.words) > 0 {
		w := f.words[0]
		f.words = f.words[1:]
		switch {
		case w.Text == "" || w.Text[0] != '-':
			f.args = append(f.args, w)
		case w.Text == "-":
			err = refuse("- would read what is typed, and nothing is typed here")
		case w.Text == "--":
			err = refuse("-- is not needed here: names never begin with a dash")
		case strings.HasPrefix(w.Text, "--"):
			err = f.long(w.Text[2:])
		default:
			err = f.short(w.Text[1:])
		}
		if err != nil {
			return nil, nil, err
		}
	}
	return f.args, f.set, nil
}

func (f *flags) long(text string) error {
	name, value, given := strings.Cut(text, "=")
	for _, flag := range f.verb.Flags {
		if flag.Long == name {
			return f.take(flag, "--"+name, value, given)
		}
	}
	return f.unknown("--"+name, name)
}

// short reads -o, -owide, -o=wide, -A and -Aowide.
func (f *flags) short(text string) error {
	for i := range len(text) {
		flag, ok := f.byShort(text[i])
		said := "-" + text[i:i+1]
		rest := text[i+1:]
		switch {
		case !ok:
			return f.unknown(said, text[i:i+1])
		case rest == "=":
			return refuse("%s= is nothing: write its value behind it", said)
		case strings.HasPrefix(rest, "="):
			return f.take(flag, said, rest[1:], true)
		case !flag.Switch:
			return f.take(flag, said, rest, rest != "")
		}
		if err := f.take(flag, said, "", false); err != nil {
			return err
		}
	}
	return nil
}

func (f *flags) byShort(c byte) (Flag, bool) {
	for _, flag := range f.verb.Flags {
		if flag.Short != 0 && flag.Short == c {
			return flag, true
		}
	}
	return Flag{}, false
}

// take sets a flag; said is how it was written, given tells whether value was
// written in the same word.
func (f *flags) take(flag Flag, said, value string, given bool) error {
	switch {
	case flag.Switch && !given:
		value = "true"
	case flag.Switch && value != "true" && value != "false":
		return refuse("%s is true or false, not %q", said, value)
	case !flag.Switch && !given:
		if len(f.words) == 0 {
			return refuse("%s needs a value", said)
		}
		value = f.words[0].Text
		f.words = f.words[1:]
		if strings.HasPrefix(value, "-") {
			return refuse("%s needs a value; one that begins with a dash is written as --%s=%s", said, flag.Long, value)
		}
	}
	if !flag.Switch && !fits(flag.Value, value) {
		return refuse("%s does not take %q%s", said, value, hint(flag.Long))
	}
	for _, s := range f.set {
		if s.Flag == flag.Long {
			return refuse("%s is said twice", said)
		}
	}
	f.set = append(f.set, Setting{Flag: flag.Long, Value: value})
	return nil
}

// hint says what a flag takes, where the pattern alone would puzzle.
func hint(long string) string {
	if long == "output" {
		return ": wide, yaml, json, name, jsonpath=…, go-template=… and custom-columns=… are what there is, where the verb has them; never a file"
	}
	return ""
}

// unknown says why a flag is not taken.
func (f *flags) unknown(said, name string) error {
	if why := f.verb.forbidden(name); why != "" {
		return Never(said, why)
	}
	known := []string{}
	for _, flag := range f.verb.Flags {
		known = append(known, "--"+flag.Long)
	}
	if len(known) == 0 {
		return refuse("%s takes no flags here, and %s is one", f.verb.Name, said)
	}
	return refuse("%s does not take %s here; it takes %s", f.verb.Name, said, strings.Join(known, ", "))
}

// forbidden says what is wrong with a flag that kubectl knows and nobody gets.
func (v *Verb) forbidden(name string) string {
	name = strings.ReplaceAll(name, "_", "-")
	for _, group := range []struct{ names, why string }{
		{"filename f kustomize k recursive R template prune-allowlist env-file from-file from-env-file", "it reads files of the machine that ferry runs on; name the objects, and write templates into -o"},
		{"context cluster kubeconfig server s tls-server-name certificate-authority insecure-skip-tls-verify proxy-url", "which cluster is meant stands at the end of the line: … on prod"},
		{"as as-group as-uid as-user-extra user token username password client-certificate client-key", "as whom the cluster is asked is the configuration's, not the line's"},
		{"cache-dir profile profile-output kuberc log-file log-dir v vmodule log-flush-frequency stderrthreshold", "it is about the machine that ferry runs on"},
		{"watch w watch-only output-watch-events", "nothing is watched here: ask again, or use rollout status"},
		{"raw", "raw paths are not asked for: name the kind and the object"},
		{"stdin i tty t interactive", "there is no terminal here"},
		{"all", "what is changed is named, each object by its name"},
		{"dry-run field-manager record server-side force-conflicts local", "a change is done as it is confirmed, or not at all"},
	} {
		for _, n := range strings.Fields(group.names) {
			if n == name {
				return group.why
			}
		}
	}
	if v.Changes && (name == "selector" || name == "l" || name == "field-selector" || name == "all-namespaces" || name == "A") {
		return "what is changed is named, each object by its name"
	}
	return ""
}

// get returns the value of a flag.
func get(set []Setting, flag string) (string, bool) {
	for _, s := range set {
		if s.Flag == flag {
			return s.Value, true
		}
	}
	return "", false
}
