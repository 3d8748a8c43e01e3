// Command ticker is a source that tells the time, and goes on where it was.
package main

import (
	"context"
	"strconv"
	"time"

	"ferry/plugins/api"
)

type ticker struct{}

func (ticker) Info() api.Info {
	return api.Info{Name: "ticker", Version: "v1.0.0", Description: "tells that another tenth of a second has passed"}
}

func (ticker) Stream(ctx context.Context, r api.StreamRequest, emit func(api.Event) error) error {
	n, _ := strconv.Atoi(r.Cursor) // nothing yet is 0
	for tick := time.NewTicker(100 * time.Millisecond); ; {
		select {
		case <-ctx.Done():
			return nil
		case at := <-tick.C:
			n++
			e := api.Event{ID: "tick-" + strconv.Itoa(n), Cursor: strconv.Itoa(n), At: at, Title: "tick " + strconv.Itoa(n), About: "time"}
			if err := emit(e); err != nil {
				return err
			}
		}
	}
}

func main() { api.ServeSource(ticker{}) }
