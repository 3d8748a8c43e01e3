package verdict

import (
	"encoding/json"
	"strconv"
	"strings"
)

// deeds reads a row that tells of what was done at once.
func (s *State) deeds(key string, value []byte) (err error) {
	switch table, id := key[:strings.LastIndex(key, "/")+1], key[strings.LastIndex(key, "/")+1:]; {
	case table == "event/silence/":
		var one struct{ Matchers string }
		err = json.Unmarshal(value, &one)
		s.Silences = append(s.Silences, one.Matchers)
	case key == "event/silences":
		s.Placed, err = strconv.Atoi(string(value))
	case table == "event/notify/":
		s.Off = append(s.Off, id)
	case strings.HasPrefix(key, "event/dead/"):
		var one struct {
			Delivery struct{ Labels map[string]string }
		}
		err = json.Unmarshal(value, &one)
		s.Dead = append(s.Dead, one.Delivery.Labels)
	case strings.HasPrefix(key, "line/row/"):
		var one struct{ Ended json.RawMessage }
		if err = json.Unmarshal(value, &one); one.Ended == nil {
			s.Begun = append(s.Begun, key)
		}
	}
	return err
}
