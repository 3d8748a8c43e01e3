// Package bot is ferry's mouth and ears in Slack. What somebody does there comes
// in as an envelope, which is journalled, then acknowledged, then decided (inbox);
// deciding means to refuse bots, strangers and guests, to parse the text strictly
// (grammar), and to hand a chat.Command to the Handler. What ferry says goes out
// through messages that are wished for durably and sent until Slack shows them,
// once (outbox), after they were made safe and small enough (render).
//
// The sub-packages each know one thing: slack the transport and nothing of
// commands, grammar and render are pure, inbox and outbox know no Slack. This
// package ties them together and holds the one decision between an envelope and
// a command. Another chat would be a sibling of slack and render.
//
// Nothing here is remembered in memory alone: a Bot that is killed at any moment
// leaves a journal and an outbox from which the next one goes on. It needs two
// stores for that, inbox.Journal and outbox.Store.
package bot

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"sync"
	"time"

	"ferry/bot/grammar"
	"ferry/bot/inbox"
	"ferry/bot/outbox"
	"ferry/bot/slack"
	"ferry/internal/chat"
)

// Handler does what commands ask for. Handle returns nil once the command is
// accepted durably, or, if it only asks, answered. It may be called again with
// the same Key and must then do nothing new. A fault is an answer, which the bot
// gives; a fault.Unavailable or the end of ctx means that the command is to be
// handled again later.
type Handler interface {
	Handle(ctx context.Context, cmd chat.Command) error
}

// Token is a secret that does not print itself.
type Token = slack.Token

// Options are what a Bot is made of. The tokens, Commands, Handler, Journal and
// Outbox are needed; everything else has a default.
type Options struct {
	BotToken Token
	AppToken Token
	// BaseURL is the Web API's address, for a local Slack; empty means Slack's.
	BaseURL string
	// Connections is how many sockets are kept open (default 2).
	Connections int

	Commands []chat.Syntax
	Clusters []string // the names that <cluster> takes
	Handler  Handler
	Journal  inbox.Journal
	Outbox   outbox.Store

	// SlashCommand is what the slash command is called (default "/ferry").
	SlashCommand string

	// Teams are workspaces besides ferry's own whose members may ask. Channels,
	// if there are any, are the only ones in which ferry answers.
	Teams    []chat.TeamID
	Channels []chat.ChannelID
	// Groups are the user groups that Check tries to read.
	Groups []chat.GroupID
	// Told are the channels that Check looks for: what is told there asks nobody first.
	Told []chat.ChannelID

	// Emails says that people's addresses are wanted, for Author.
	Emails bool

	// Files is a folder that ferry has for itself, for output that is on its way to
	// become a file in the chat; empty: none does, and long output is cut.
	Files string

	Log *slog.Logger
	// Pace is how fast messages are sent; PostsPerSecond bounds new ones per
	// channel (default 1).
	Pace           outbox.Pace
	PostsPerSecond float64
	// Workers bounds the commands decided at once (default 16).
	Workers int
	// Pause is the first pause before an envelope is tried again (default 1 s).
	Pause time.Duration
	// Patience is how long a command is tried while something does not answer,
	// before the person is told that it did not work (default 10 min).
	Patience time.Duration
	// TooLate is how old a command may be when it is first looked at; after a
	// long absence people are told to ask again (default 1 h).
	TooLate time.Duration
	// Begun, if set, tells of what is that late whether something was begun for it, by
	// the key of what somebody did and by that of its command.
	Begun func(ctx context.Context, did, command string) (bool, error)
	// Observe, if set, is told of everything countable: "envelope" (journalled,
	// with how long that took), "duplicate", "ignored", "refused", "command"
	// (handled), "post", "edit", "find". It must not block.
	Observe func(what string, took time.Duration, err error)
}

// Bot implements chat.Replier and chat.Streamer.
type Bot struct {
	o       Options
	slack   *slack.Client
	grammar *grammar.Grammar
	inbox   *inbox.Inbox
	outbox  *outbox.Outbox

	mu       sync.Mutex
	identity error // why ferry does not know who it is; nil once it does
}

// New returns a bot; nothing is called before Run. The Handler may be set
// later, with Serve, because it usually needs the bot to answer.
func New(o Options) (*Bot, error) {
	if o.Journal == nil || o.Outbox == nil {
		return nil, errors.New("make the bot: a journal and an outbox are needed")
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Observe == nil {
		o.Observe = func(string, time.Duration, error) {}
	}
	if o.SlashCommand == "" {
		o.SlashCommand = "/ferry"
	}
	if o.Patience <= 0 {
		o.Patience = 10 * time.Minute
	}
	if o.TooLate <= 0 {
		o.TooLate = time.Hour
	}
	g, err := grammar.New(o.Commands, o.Clusters)
	if err != nil {
		return nil, fmt.Errorf("make the bot: %w", err)
	}
	client, err := newClient(o)
	if err != nil {
		return nil, fmt.Errorf("make the bot: %w", err)
	}
	b := &Bot{o: o, slack: client, grammar: g, identity: errors.New("not known to Slack yet")}
	b.outbox = outbox.New(outbox.Options{Store: o.Outbox, Chat: client, Files: client, Spool: o.Files, Pace: o.Pace, Log: o.Log, Sent: o.Observe})
	b.inbox = inbox.New(inbox.Options{Journal: o.Journal, Decide: b.decide, Log: o.Log, Workers: o.Workers, Pause: o.Pause})
	return b, nil
}

func newClient(o Options) (*slack.Client, error) {
	return slack.New(slack.Options{
		BotToken: o.BotToken, AppToken: o.AppToken, BaseURL: o.BaseURL, Connections: o.Connections,
		PostsPerSecond: o.PostsPerSecond, Emails: o.Emails, Files: o.Files != "", Log: o.Log,
	})
}

// Serve sets the handler. It must be called before Run.
func (b *Bot) Serve(h Handler) { b.o.Handler = h }

// Put implements chat.Replier. It may be called before Run and after.
func (b *Bot) Put(ctx context.Context, thread chat.Thread, key string, m chat.Message) error {
	return b.outbox.Put(ctx, thread, key, m)
}

// Posted waits until the message of a key is in the chat and returns its timestamp.
func (b *Bot) Posted(ctx context.Context, key string) (ts string, err error) {
	return b.outbox.Posted(ctx, key)
}

// Stream implements chat.Streamer.
func (b *Bot) Stream(ctx context.Context, thread chat.Thread, key, title string) (io.WriteCloser, error) {
	return b.outbox.Stream(ctx, thread, key, title)
}

// Abandon says of the output of that key that nobody writes it any more. It returns the
// title of one that had ended.
func (b *Bot) Abandon(ctx context.Context, key string) (title string, err error) {
	return b.outbox.Abandon(ctx, key)
}

// Ready returns nil while ferry hears Slack and knows who it is there.
func (b *Bot) Ready() error {
	b.mu.Lock()
	err := b.identity
	b.mu.Unlock()
	return errors.Join(err, b.slack.Connected())
}

// Run works until ctx ends and returns when everything that it started has
// ended. It decides first what an earlier process left. It returns an error
// only if a store cannot be read; nothing that Slack does ends it.
func (b *Bot) Run(ctx context.Context) error {
	if b.o.Handler == nil {
		return errors.New("run the bot: nothing handles commands")
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	parts := []func(context.Context) error{b.outbox.Run, b.inbox.Run, b.identify, b.listen}
	errs := make([]error, len(parts))
	var all sync.WaitGroup
	for i, run := range parts {
		all.Go(func() {
			if errs[i] = run(ctx); errs[i] != nil {
				cancel()
			}
		})
	}
	all.Wait()
	return errors.Join(errs...)
}

// listen journals envelopes, so that Slack's copy may go.
func (b *Bot) listen(ctx context.Context) error {
	return b.slack.Listen(ctx, func(ctx context.Context, raw []byte) error {
		began := time.Now()
		r, why, err := slack.Decode(raw)
		if err != nil {
			b.o.Log.Error("an envelope cannot be read", "error", err)
			why = "unreadable"
		}
		if why != "" { // nobody asked for anything: nothing is lost with it
			b.o.Observe("ignored", 0, nil)
			b.o.Log.Debug("envelope ignored", "why", why)
			return nil
		}
		fresh, err := b.inbox.Accept(ctx, r.Key, raw)
		if err == nil && !fresh {
			b.o.Observe("duplicate", time.Since(began), nil)
			return nil
		}
		b.o.Observe("envelope", time.Since(began), err)
		return err
	})
}

// identify asks Slack who ferry is until it answers.
func (b *Bot) identify(ctx context.Context) error {
	last := ""
	for pause := time.Second; ; pause = min(2*pause, time.Minute) {
		me, err := b.slack.Identify(ctx)
		b.mu.Lock()
		b.identity = err
		b.mu.Unlock()
		if err == nil {
			b.o.Log.Info("known to Slack", "team", me.Team, "name", me.TeamName, "user", me.User)
			if b.o.Emails && me.NoEmails {
				b.o.Log.Warn("Slack does not tell people's addresses: commits name no co-authors", "missing_scope", slack.EmailScope)
			}
			if b.o.Files != "" && me.NoFiles {
				b.o.Log.Warn("Slack takes no files from ferry: long output is cut", "missing_scope", slack.FileScope)
			}
			return nil
		}
		if err.Error() != last && ctx.Err() == nil {
			last = err.Error()
			b.o.Log.Error("Slack does not tell who ferry is", "error", err)
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return nil
		}
	}
}

// Finding is one row of Check: what was tried, whether it works, and what would
// help.
type Finding = slack.Finding

// Check tries what the options name: both tokens and the scopes. Only the
// tokens and BaseURL are needed.
func Check(ctx context.Context, o Options) []Finding {
	client, err := newClient(o)
	if err != nil {
		return []Finding{{What: "Slack", Detail: err.Error()}}
	}
	return slices.Concat(client.Check(ctx), client.CheckGroups(ctx, o.Groups), client.CheckChannels(ctx, o.Told))
}

// mayAnswer reports whether ferry answers in a channel.
func (b *Bot) mayAnswer(c chat.ChannelID) bool {
	return len(b.o.Channels) == 0 || slices.Contains(b.o.Channels, c)
}
