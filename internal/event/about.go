package event

import "strings"

// Of returns what an event is about: what its source said or, if it said nothing,
// the object and the reason. Of a pod and a replica set that is the workload which
// made it, because the next one has another name and the same trouble. An event without
// an object is about its title; numbers, durations, addresses and hashes in it do
// not make it another one. The text never counts.
func Of(e *Event) About {
	if e.About != "" {
		return e.About
	}
	name := e.Name
	switch e.Kind {
	case "Pod", "ReplicaSet":
		name = Workload(e.Kind, name)
	}
	what := e.Reason
	if e.Name == "" || what == "" {
		what += "/" + Wording(e.Title)
	}
	return About(strings.Join([]string{e.Cluster, e.Kind, e.Namespace, name, what}, "/"))
}

// suffix are the letters that Kubernetes makes the ends of names of: no vowels, so
// that they say nothing, and none of 0, 1 and 3.
const suffix = "bcdfghjklmnpqrstvwxz2456789"

func generated(s string, least, most int) bool {
	if len(s) < least || len(s) > most {
		return false
	}
	digits := false
	for _, c := range s {
		if !strings.ContainsRune(suffix, c) {
			return false
		}
		digits = digits || c <= '9'
	}
	return (digits || len(s) == 5 || len(s) >= 8)
}

// Workload takes the generated end off a pod's or a replica set's name:
// podinfo-7d9f8b6c5-x2x4z, podinfo-7d9f8b6c5 and podinfo-x2x4z are podinfo's.
// The number of a stateful set's pod stays: it is the same pod tomorrow.
func Workload(kind, name string) string {
	rest, end, ok := cutLast(name)
	if !ok {
		return name
	}
	if kind == "ReplicaSet" {
		if generated(end, 6, 10) {
			return rest
		}
		return name
	}
	if !generated(end, 5, 5) {
		return name
	}
	if owner, hash, ok := cutLast(rest); ok && (generated(hash, 6, 10) || number(hash) && len(hash) >= 8) {
		return owner // of a replica set, or of a job of a cron job
	}
	return rest
}

func cutLast(s string) (before, after string, ok bool) {
	i := strings.LastIndexByte(s, '-')
	if i <= 0 {
		return s, "", false
	}
	return s[:i], s[i+1:], true
}

func number(s string) bool { return s != "" && strings.Trim(s, "0123456789") == "" }

// Wording returns a text without what changes when it is told again: every word
// with a digit in it gives way to a sign, however long, and space is made even.
func Wording(text string) string {
	var b strings.Builder
	for _, word := range strings.Fields(text) {
		if b.Len() > 0 {
			b.WriteByte(' ')
		}
		if strings.ContainsAny(word, "0123456789") {
			word = "#"
		}
		b.WriteString(word)
	}
	return b.String()
}
