package botkube

import (
	"strings"

	"ferry/internal/fault"
)

// command is a line as a plugin is given it, and what was in it for its host.
type command struct {
	// line is as it was written, without what was for the host.
	line  string
	words []string
	// cluster is the one that the line names; all says that it names all of them.
	cluster string
	all     bool
	// filter is what lines of the output have to contain.
	filter string
}

// help says whether the line asks what the plugin can do.
func (c *command) help() bool { return len(c.words) > 1 && c.words[1] == "help" }

// clusterFlag is how a line names its cluster.
const clusterFlag = "--cluster-name="

// word is a word of a line, and where it stands.
type word struct {
	is         string
	begin, end int
}

// parseCommand reads a line as a shell would, and takes out of it what is for the
// host: --cluster-name, --filter, --all-clusters. All else stays as it was written, and
// so does what is in quotation marks: that is a value, such as somebody wrote into a field.
func parseCommand(text string) (command, error) {
	all, err := split(text)
	if err != nil {
		return command{}, err
	}
	var c command
	var kept strings.Builder
	from := 0
	for i := 0; i < len(all); i++ {
		first := i
		name, value, given := strings.Cut(all[i].is, "=")
		if text[all[i].begin] != '-' {
			continue
		}
		switch name {
		case "--":
			i = len(all) // all behind it is the plugin's
			continue
		case "--cluster-name", "--filter":
			if !given {
				if i++; i == len(all) {
					return command{}, fault.Newf(fault.Invalid, "there is nothing behind `%s`", name).WithHelp("write %s=…", name)
				}
				value = all[i].is
			}
			if name == "--filter" {
				c.filter = value
			} else {
				c.cluster = value
			}
		case "--all-clusters":
			c.all = !given || value == "true"
		default:
			continue
		}
		kept.WriteString(text[from:all[first].begin])
		from = all[i].end
		for from < len(text) && text[from] == ' ' {
			from++
		}
	}
	kept.WriteString(text[from:])
	c.line = strings.TrimSpace(kept.String())
	rest, err := split(c.line)
	for _, w := range rest {
		c.words = append(c.words, w.is)
	}
	return c, err
}

// split parts a line as a shell would: by spaces, but for what is quoted or behind a
// backslash. Nothing is expanded.
func split(text string) ([]word, error) {
	var out []word
	var b strings.Builder
	quote, escaped, begin := byte(0), false, -1
	for i := 0; i <= len(text); i++ {
		if i == len(text) || quote == 0 && !escaped && (text[i] == ' ' || text[i] == '\t') {
			if i == len(text) && (quote != 0 || escaped) {
				return nil, fault.New(fault.Invalid, "a quotation mark in that line has no end", "close it, or write \\ before it")
			}
			if begin >= 0 {
				out = append(out, word{is: b.String(), begin: begin, end: i})
			}
			b.Reset()
			begin = -1
			continue
		}
		if begin < 0 {
			begin = i
		}
		switch c := text[i]; {
		case escaped:
			if quote == '"' && c != '"' && c != '\\' {
				b.WriteByte('\\')
			}
			b.WriteByte(c)
			escaped = false
		case c == '\\' && quote != '\'':
			escaped = true
		case quote == 0 && (c == '"' || c == '\''):
			quote = c
		case c == quote && quote != 0:
			quote = 0
		default:
			b.WriteByte(c)
		}
	}
	return out, nil
}

// Expand replaces an alias at the beginning of a line by what it stands for, once.
func Expand(aliases map[string]string, line string) string {
	first, rest, _ := strings.Cut(line, " ")
	stands, ok := aliases[first]
	if !ok {
		return line
	}
	return strings.TrimSpace(stands + " " + rest)
}

// filtered keeps the lines of a text that contain what is looked for.
func filtered(text, wanted string) string {
	if wanted == "" || text == "" {
		return text
	}
	var out []string
	for line := range strings.Lines(text) {
		if strings.Contains(line, wanted) {
			out = append(out, strings.TrimRight(line, "\r\n"))
		}
	}
	return strings.Join(out, "\n")
}
