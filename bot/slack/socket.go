package slack

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"sync"
	"time"

	slackgo "github.com/slack-go/slack"
	"github.com/slack-go/slack/socketmode"
)

const (
	// queued is how many envelopes may wait for the journal; what comes beyond
	// that is not acknowledged, so that Slack sends it again.
	queued = 1000
	// takers is how many envelopes are journalled at once.
	takers = 8
	// ackWithin and takeWithin keep the whole within Slack's three seconds.
	takeWithin = 2 * time.Second
	ackWithin  = 800 * time.Millisecond
	// maxBackoff is how long slack-go may wait between attempts to connect
	// before it is started anew.
	maxBackoff = 30 * time.Second
)

// Take is given each raw envelope that is to be acknowledged; nil means that it
// is safe, and only then is it acknowledged.
type Take func(ctx context.Context, raw []byte) error

// sockets is the state of the connections.
type sockets struct {
	mu    sync.Mutex
	up    []bool
	err   error // the last one, while none is up
	appID string
}

func newSockets(n int) sockets {
	return sockets{up: make([]bool, n), err: errors.New("not connected yet")}
}

// Connected returns nil while at least one socket is open, and otherwise why
// none is.
func (c *Client) Connected() error {
	c.sockets.mu.Lock()
	defer c.sockets.mu.Unlock()
	for _, up := range c.sockets.up {
		if up {
			return nil
		}
	}
	return fmt.Errorf("no connection to Slack: %w", c.sockets.err)
}

// AppID is the app's, once Slack has told it.
func (c *Client) AppID() string {
	c.sockets.mu.Lock()
	defer c.sockets.mu.Unlock()
	return c.sockets.appID
}

// state notes that a connection changed; a failure is logged when it is a new
// one.
func (c *Client) state(i int, up bool, err error) {
	c.sockets.mu.Lock()
	was := c.sockets.up[i]
	c.sockets.up[i] = up
	same := err == nil || c.sockets.err != nil && c.sockets.err.Error() == err.Error()
	if err != nil {
		c.sockets.err = err
	}
	c.sockets.mu.Unlock()
	switch {
	case up && !was:
		c.o.Log.Info("connected to Slack", "connection", i)
	case !same:
		c.o.Log.Warn("Slack cannot be reached", "connection", i, "error", err)
	}
}

// received is an envelope on its way to the journal.
type received struct {
	socket *socketmode.Client
	id     string
	raw    []byte
}

// Listen keeps the sockets open until ctx ends and hands every envelope to
// take. Nothing that Slack does ends it: a revoked token is reported by
// Connected and tried again.
func (c *Client) Listen(ctx context.Context, take Take) error {
	var all sync.WaitGroup
	queue := make(chan received, queued)
	for range takers {
		all.Go(func() { c.takeAll(ctx, queue, take) })
	}
	for i := range c.o.Connections {
		all.Go(func() { c.connect(ctx, i, queue) })
	}
	all.Wait()
	return nil
}

// connect keeps one socket open.
func (c *Client) connect(ctx context.Context, i int, queue chan<- received) {
	api := slackgo.New(string(c.o.BotToken),
		slackgo.OptionAppLevelToken(string(c.o.AppToken)), slackgo.OptionAPIURL(c.o.BaseURL),
		slackgo.OptionHTTPClient(&http.Client{Timeout: c.o.Timeout}), slackgo.OptionLog(log.New(io.Discard, "", 0)))
	for pause := time.Second; ctx.Err() == nil; pause = min(2*pause, maxBackoff) {
		began := time.Now()
		err := c.session(ctx, i, socketmode.New(api, socketmode.OptionLog(log.New(io.Discard, "", 0))), queue)
		if ctx.Err() != nil {
			break
		}
		c.state(i, false, err)
		if time.Since(began) > time.Minute {
			pause = time.Second
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
		}
	}
	c.state(i, false, nil)
}

// session runs slack-go until it gives up, and drains its events at once: a
// reader that is kept waiting loses the connection.
func (c *Client) session(ctx context.Context, i int, socket *socketmode.Client, queue chan<- received) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var run sync.WaitGroup
	defer run.Wait()
	ended := make(chan error, 1)
	run.Go(func() { ended <- socket.RunContext(ctx) })
	for {
		select {
		case err := <-ended:
			return err
		case e := <-socket.Events:
			if err := c.event(i, socket, e, queue); err != nil {
				cancel()
				return errors.Join(err, notCancelled(<-ended))
			}
		}
	}
}

// notCancelled drops the error of a session that was ended from here.
func notCancelled(err error) error {
	if errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}

// event sorts what slack-go tells; an error ends the session.
func (c *Client) event(i int, socket *socketmode.Client, e socketmode.Event, queue chan<- received) error {
	switch e.Type {
	case socketmode.EventTypeHello:
		c.sockets.mu.Lock()
		if e.Request != nil && e.Request.ConnectionInfo.AppID != "" {
			c.sockets.appID = e.Request.ConnectionInfo.AppID
		}
		c.sockets.mu.Unlock()
		c.state(i, true, nil)
	case socketmode.EventTypeConnecting:
		c.state(i, false, nil)
	case socketmode.EventTypeConnectionError:
		if failed, ok := e.Data.(*slackgo.ConnectionErrorEvent); ok {
			c.state(i, false, failed.ErrorObj)
			if failed.Backoff > maxBackoff {
				return failed.ErrorObj
			}
		}
	case socketmode.EventTypeErrorWriteFailed:
		c.o.Log.Warn("an acknowledgement was lost; Slack will send its envelope again", "connection", i)
	case socketmode.EventTypeErrorBadMessage:
		if bad, ok := e.Data.(*socketmode.ErrorBadMessage); ok {
			c.o.Log.Debug("slack-go does not read an envelope; ferry does", "error", bad.Cause)
			c.receive(socket, bad.Message, queue)
		}
	case socketmode.EventTypeEventsAPI, socketmode.EventTypeSlashCommand, socketmode.EventTypeInteractive:
		raw, err := json.Marshal(envelope{ID: e.Request.EnvelopeID, Type: e.Request.Type, Payload: e.Request.Payload})
		if err != nil {
			c.o.Log.Error("an envelope cannot be encoded", "error", err)
			return nil
		}
		c.receive(socket, raw, queue)
	}
	return nil
}

// receive queues an envelope, and never waits.
func (c *Client) receive(socket *socketmode.Client, raw []byte, queue chan<- received) {
	var e envelope
	if err := json.Unmarshal(raw, &e); err != nil || e.ID == "" {
		c.o.Log.Warn("an envelope without an ID was dropped", "error", err)
		return
	}
	select {
	case queue <- received{socket, e.ID, raw}:
	default:
		c.o.Log.Warn("too many envelopes at once; Slack will send this one again", "envelope", e.ID)
	}
}

func (c *Client) takeAll(ctx context.Context, queue <-chan received, take Take) {
	for {
		select {
		case r := <-queue:
			c.takeOne(ctx, r, take)
		case <-ctx.Done():
			return
		}
	}
}

func (c *Client) takeOne(ctx context.Context, r received, take Take) {
	taking, cancel := context.WithTimeout(ctx, takeWithin)
	err := take(taking, r.raw)
	cancel()
	if err != nil {
		c.o.Log.Error("an envelope was not acknowledged", "envelope", r.id, "error", err)
		return
	}
	acking, cancel := context.WithTimeout(ctx, ackWithin)
	defer cancel()
	if err := r.socket.AckCtx(acking, r.id, nil); err != nil && ctx.Err() == nil {
		c.o.Log.Warn("an envelope was journalled but not acknowledged", "envelope", r.id, "error", err)
	}
}
