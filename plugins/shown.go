package plugins

import (
	"context"
	"fmt"

	"ferry/internal/chat"
	"ferry/plugins/botkube"
)

// shown shows several messages, each where it belongs. The last of those that stand in
// the thread is the answer; there is none if all stand elsewhere.
func (e Executors) shown(ctx context.Context, cmd chat.Command, all []botkube.Shown) (chat.Message, error) {
	var answer chat.Message
	for i, s := range all {
		thread, key := cmd.Thread, fmt.Sprintf("%s/shown/%d", cmd.Key, i)
		last := i == len(all)-1
		switch {
		case s.Replace && replaces(cmd.Origin, s.For):
			key = cmd.Origin.Key
		case s.Thread != "" && s.Thread != thread.Root:
			thread.Root = s.Thread
		case last:
			answer = s.Message
			continue
		}
		if e.Put == nil {
			continue
		}
		s.Final = true // somebody waits for it
		if err := e.Put(ctx, thread, key, s.Message); err != nil {
			return chat.Message{}, err
		}
	}
	return answer, nil
}

// replaces reports whether a message may stand where the one stands that asked for it:
// what is for one person alone replaces nothing that everybody sees, nor the other way
// round.
func replaces(origin *chat.Origin, audience chat.UserID) bool {
	return origin != nil && origin.Key != "" && origin.For == audience
}
