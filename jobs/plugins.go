package jobs

import (
	"context"
	"fmt"
	"strings"
	"time"

	"ferry/internal/chat"
)

var pluginsSyntax = chat.Syntax{
	Verb:     "plugins",
	Summary:  "show what each plugin is doing, and what is wrong with it",
	Details:  []string{"Plugins are processes of their own. One that ends is started again, after a pause that grows until it has been well for a while."},
	Examples: []string{"plugins"},
}

// Plugin is what a plugin is doing.
type Plugin struct {
	Name, Kind, Version string
	// Running is true if it can be asked; Refused if it is not what the
	// configuration says, so that starting it again hardly helps.
	Running, Starting, Refused bool
	// Why says in half a sentence why it does not run or, if it does, why its
	// stream does not; Until is when that is tried again.
	Why   string
	Since time.Time
	Until time.Time
	// Err is what went wrong last.
	Err      string
	Restarts int
	// Memory is in bytes.
	Memory        int64
	Events, Calls int64
}

// Plugins tells of all plugins there are, in the order of the configuration.
type Plugins interface{ Plugins() []Plugin }

// plugins shows what each is doing.
type plugins struct{ Options }

// Answer implements Query.
func (p plugins) Answer(context.Context, chat.Command) (chat.Message, error) {
	var all []Plugin
	if p.Plugins != nil {
		all = p.Plugins.Plugins()
	}
	m := chat.Message{Tone: chat.Info, Title: "No plugins are configured"}
	if len(all) == 0 {
		m.Lines = []string{"Whoever runs ferry can add some: `plugins` in its configuration."}
		return m, nil
	}
	now, running := p.Now(), 0
	t := &chat.Table{Columns: []string{"Plugin", "Kind", "Version", "State", "Memory", "Restarts"}}
	for i := range all {
		one := &all[i]
		if one.Running {
			running++
		}
		t.Rows = append(t.Rows, []string{one.Name, one.Kind, orDash(one.Version), one.doing(now), memory(one.Memory), fmt.Sprint(one.Restarts)})
		if trouble := one.trouble(now); trouble != "" {
			m.Lines = append(m.Lines, trouble)
		}
	}
	m.Title = fmt.Sprintf("%d of %d plugins run", running, len(all))
	switch {
	case len(all) == 1 && running == 1:
		m.Title = "The only plugin runs"
	case running == len(all):
		m.Title = fmt.Sprintf("All %d plugins run", len(all))
	}
	m.Table = t
	return m, nil
}

// doing is the state in two or three words.
func (p *Plugin) doing(now time.Time) string {
	switch {
	case p.Running && p.Why != "":
		return "stream pauses"
	case p.Running && p.Kind == "source":
		return fmt.Sprintf("runs %s, %s", span(now.Sub(p.Since)), count(int(p.Events), "event"))
	case p.Running:
		return fmt.Sprintf("runs %s, %s", span(now.Sub(p.Since)), count(int(p.Calls), "call"))
	case p.Starting:
		return "starts"
	case p.Refused:
		return "refused"
	case p.Until.IsZero():
		return "off"
	}
	return "waits"
}

// trouble is a sentence about what is wrong.
func (p *Plugin) trouble(now time.Time) string {
	why, next := clip(p.Why), "again in "+span(p.Until.Sub(now))
	switch {
	case p.Running && p.Why != "":
		return fmt.Sprintf("`%s`: %s; it is opened %s.", p.Name, strings.TrimSuffix(why, "."), next)
	case p.Running && p.Restarts > 0 && p.Err != "":
		return fmt.Sprintf("`%s` runs again; before, %s.", p.Name, strings.TrimSuffix(clip(p.Err), "."))
	case p.Running, p.Starting && p.Err == "":
		return ""
	case p.Starting:
		return fmt.Sprintf("`%s` starts again; before, %s.", p.Name, strings.TrimSuffix(clip(p.Err), "."))
	case p.Refused:
		return fmt.Sprintf("`%s` is refused: %s. It is tried %s.", p.Name, strings.TrimSuffix(why, "."), next)
	case p.Until.IsZero():
		return fmt.Sprintf("`%s` is off: %s.", p.Name, strings.TrimSuffix(why, "."))
	}
	return fmt.Sprintf("`%s` does not run: %s. It is started %s.", p.Name, strings.TrimSuffix(why, "."), next)
}

func memory(bytes int64) string {
	if bytes == 0 {
		return "–"
	}
	return fmt.Sprintf("%d MiB", bytes>>20)
}

func orDash(s string) string {
	if s == "" {
		return "–"
	}
	return s
}
