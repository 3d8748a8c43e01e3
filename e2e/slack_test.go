package e2e

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"

	"ferry/e2e/local"
	"ferry/playground/slack"
)

const channel = "#deploys"

// room is the local Slack of one script, and where the conversation is.
type room struct {
	server *slack.Server
	url    string

	talk
	earlier []talk
}

// talk is one conversation: who began it, where, and what belongs to it.
type talk struct {
	user, channel string
	ts            string // of what was said: the thread that answers are looked for in
	after         string // or, with no thread (a slash command), answers are younger than this
}

// newRoom opens a workspace; defers gets what closes it.
func newRoom(defers func(func())) (*room, error) {
	return openRoom(local.Workspace(), func(h http.Handler) http.Handler { return h }, defers)
}

// openRoom is newRoom for another workspace, with something before its calls.
func openRoom(options slack.Options, before func(http.Handler) http.Handler, defers func(func())) (*room, error) {
	server, url, err := local.Slack(options, before, defers)
	return &room{server: server, url: url, talk: talk{user: "alice", channel: channel}}, err
}

// heard are ferry's messages of the conversation at hand, the oldest first; deleted ones are left out.
func (r *room) heard() ([]slack.Message, error) {
	all, err := r.server.Messages(r.place(), "")
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(all, func(m slack.Message) bool {
		switch {
		case m.AppID == "" || m.Deleted || (m.Ephemeral && m.To != r.userID()):
			return true
		case r.ts == "" || m.Ephemeral:
			return m.TS < r.after
		default:
			return m.ThreadTS != r.ts
		}
	}), nil
}

// place is the channel, or the ID of the conversation with ferry where that is meant.
func (r *room) place() string {
	if r.channel == "ferry" {
		return "D" + strings.TrimPrefix(r.userID(), "U") + "0FERRY"
	}
	return r.channel
}

func (r *room) userID() string {
	for _, u := range r.server.Users() {
		if u.Name == r.user {
			return u.ID
		}
	}
	return ""
}

// words are what a person reads of a message, on one line per text, without the signs of formatting.
func words(m slack.Message) string {
	lines := []string{m.Text}
	for _, raw := range []json.RawMessage{m.Blocks, m.Attachments} {
		var blocks any
		if json.Unmarshal(raw, &blocks) == nil {
			lines = append(lines, texts(blocks)...)
		}
	}
	for _, f := range m.Files {
		lines = append(lines, f.Preview)
	}
	return plain.Replace(strings.Join(lines, "\n"))
}

// plain takes away marks and entities; what remains is as it is shown.
var plain = strings.NewReplacer("`", "", "*", "", "&lt;", "<", "&gt;", ">", "&amp;", "&")

// texts are all texts of blocks, in their order; the cells of a row stand on one line.
func texts(v any) []string {
	var out []string
	switch v := v.(type) {
	case []any:
		for _, item := range v {
			if row, ok := item.([]any); ok {
				out = append(out, strings.Join(texts(row), " | "))
				continue
			}
			out = append(out, texts(item)...)
		}
	case map[string]any:
		for _, key := range []string{"title", "header", "text", "user_id", "fields", "elements", "rows", "tasks", "details", "output", "accessory", "blocks"} {
			if text, ok := v[key].(string); ok {
				out = append(out, text)
				continue
			}
			out = append(out, texts(v[key])...)
		}
	}
	return out
}

// transcript is the whole conversation, for a failing script.
func (r *room) transcript() string {
	var out strings.Builder
	out.WriteString("what was said:\n")
	for _, place := range []string{channel, "#random", r.place()} {
		all, err := r.server.Messages(place, "")
		if err != nil {
			continue
		}
		for _, m := range all {
			fmt.Fprintf(&out, "%s %s %s (thread %s, edits %d): %s\n", place, m.TS, m.UserName, m.ThreadTS, len(m.Edits),
				strings.ReplaceAll(words(m), "\n", "\n    "))
		}
		if place == r.place() {
			break
		}
	}
	return out.String()
}

// slackCmd is the script's command "slack". JOB in what is said is the job of the conversation at hand:
//
//	slack say [-as USER] [-in CHANNEL] TEXT   the conversation is the thread below it; CHANNEL ferry is the direct one,
//	                                          #deploys the usual one, and alice the one who speaks
//	slack back                                the conversation is again the one before
//	slack edit TEXT                           changes what was said last
//	slack redeliver N                         the last event arrives N times more
//	slack saw [-timeout D] REGEXP             a message of ferry's in the conversation matches, now or soon
//	! slack saw REGEXP                        none does now
//	slack count N REGEXP                      exactly N do now
//	slack silent                              ferry said nothing there, and answers what is asked next
//	slack click [-as USER] LABEL              presses a button
//	slack leads USER…                         those, by their IDs, are the user group S0LEADS from now on
//	slack slash [-as USER] TEXT               a slash command; the conversation is what ferry says from now on
//	slack fault METHOD lost|down [N]          answers of the next calls are lost after they had their effect, or 503
//	slack disconnect                          the socket breaks, as it does every few hours
func (s *scene) slackCmd(neg bool, args []string) error {
	if len(args) == 0 {
		return errUsage
	}
	what, args := args[0], args[1:]
	if neg && what != "saw" {
		return errUsage
	}
	who, args := takeFlag(args, "as")
	where, args := takeFlag(args, "in")
	if what == "say" && len(args) == 1 && strings.Contains(args[0], "JOB") {
		id, err := s.room.job()
		if err != nil {
			return err
		}
		args = []string{strings.ReplaceAll(args[0], "JOB", id)}
	}
	switch what {
	case "say", "slash":
		s.room.earlier = append(s.room.earlier, s.room.talk)
	}
	switch what {
	case "say":
		s.room.channel = cmp.Or(where, channel)
		fallthrough
	case "slash", "click":
		s.room.user = cmp.Or(who, "alice")
	}
	switch {
	case what == "say" && len(args) == 1:
		return s.room.say(args[0])
	case what == "back" && len(args) == 0 && len(s.room.earlier) > 0:
		last := len(s.room.earlier) - 1
		s.room.talk, s.room.earlier = s.room.earlier[last], s.room.earlier[:last]
		return nil
	case what == "edit" && len(args) == 1:
		return s.room.server.Edit(s.room.user, s.room.place(), s.room.ts, args[0])
	case what == "redeliver" && len(args) == 1:
		return s.redeliver(args[0])
	case what == "saw":
		return s.saw(neg, args)
	case what == "count" && len(args) == 2:
		return s.room.count(args[0], args[1])
	case what == "silent" && len(args) == 0:
		return s.silent()
	case what == "click" && len(args) == 1:
		return s.click(args[0])
	case what == "leads":
		return s.room.server.SetUsergroup("S0LEADS", args)
	case what == "slash" && len(args) == 1:
		return s.slash(args[0])
	case what == "fault" && len(args) >= 2:
		return s.slackFault(args[0], args[1], args[2:])
	case what == "disconnect" && len(args) == 0:
		return s.disconnect()
	}
	return errUsage
}

func (r *room) say(text string) (err error) {
	r.after = now()
	r.ts, err = r.server.Say(r.user, r.place(), text, "")
	return err
}

// now is a timestamp that no message has yet.
func now() string {
	t := time.Now().UnixMicro()
	return fmt.Sprintf("%d.%06d", t/1e6, t%1e6)
}

func (s *scene) redeliver(times string) error {
	n, err := number([]string{times}, 0)
	if err != nil {
		return err
	}
	return s.room.server.Redeliver("", n)
}

func (s *scene) saw(neg bool, args []string) error {
	most, args, err := takeTimeout(args)
	if err != nil || len(args) != 1 {
		return errors.Join(err, errUsage)
	}
	re, err := regexp.Compile("(?m)" + args[0])
	if err != nil {
		return err
	}
	look := func() error {
		n, all, err := s.room.matching(re)
		if err == nil && n == 0 {
			err = fmt.Errorf("ferry said nothing like that, but:\n%s", all)
		}
		return err
	}
	if neg {
		return negated(true, look())
	}
	return s.until(most, func() error { return errors.Join(look(), s.bot.alive()) })
}

// job is the newest job that the conversation tells of.
func (r *room) job() (string, error) {
	messages, err := r.heard()
	if err != nil {
		return "", err
	}
	for _, m := range slices.Backward(messages) {
		if id := jobNamed.FindStringSubmatch(words(m)); id != nil {
			return id[1], nil
		}
	}
	return "", errors.New("the conversation tells of no job")
}

var jobNamed = regexp.MustCompile(`\bjob ([a-z0-9]{4,16})\b`)

func (r *room) matching(re *regexp.Regexp) (n int, all string, err error) {
	messages, err := r.heard()
	for _, m := range messages {
		text := words(m)
		if re.MatchString(text) {
			n++
		}
		all += "— " + text + "\n"
	}
	return n, all, err
}

func (r *room) count(times, pattern string) error {
	want, err := number([]string{times}, 0)
	if err != nil {
		return err
	}
	re, err := regexp.Compile("(?m)" + pattern)
	if err != nil {
		return err
	}
	have, all, err := r.matching(re)
	if err == nil && have != want {
		err = fmt.Errorf("%d messages match, want %d, of:\n%s", have, want, all)
	}
	return err
}

// silent asks something else in another channel and, once that is answered, sees that the conversation is still empty.
func (s *scene) silent() error {
	here := s.room.talk
	s.room.user, s.room.channel = "alice", "#random"
	err := s.room.say("@ferry help")
	if err == nil {
		err = s.saw(false, []string{"promote"})
	}
	s.room.talk = here
	if err != nil {
		return err
	}
	return s.room.count("0", "")
}

func (s *scene) slackFault(method, kind string, rest []string) error {
	n, err := number(rest, 1)
	if err != nil {
		return err
	}
	fault := slack.Fault{Method: method, Times: n}
	switch kind {
	case "lost":
		fault.Lost, fault.AfterEffect = true, true
	case "down":
		fault.Status = 503
	default:
		return fmt.Errorf("there is no fault %q", kind)
	}
	s.room.server.Inject(fault)
	return nil
}
