// Command post is a notifier that posts a line of JSON for each notification.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"

	"ferry/plugins/api"
)

type post struct{}

func (post) Info() api.Info {
	return api.Info{Name: "post", Version: "v1.0.0", Description: "posts a line of JSON to an address (to)"}
}

func (post) Deliver(ctx context.Context, n api.Notification) (api.Receipt, error) {
	text, _ := json.Marshal(map[string]any{"id": n.ID, "incident": n.Incident, "state": n.State, "title": n.Title})
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, n.To, strings.NewReader(string(text)))
	if err != nil {
		return api.Receipt{}, err // no address: another try does not help
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return api.Receipt{}, api.Again(err, 0)
	}
	defer answer.Body.Close()
	if answer.StatusCode >= 300 {
		return api.Receipt{}, api.Again(fmt.Errorf("it answers %s", answer.Status), time.Second)
	}
	return api.Receipt{Ref: n.ID}, nil
}

func main() { api.ServeNotifier(post{}) }
