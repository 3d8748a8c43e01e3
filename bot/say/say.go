// Package say is the one place where errors become sentences for people. It is
// pure: a fault has its words already, and anything else is told without
// detail, because nobody wrote those words for a chat.
package say

import (
	"context"
	"errors"
	"slices"
	"strings"

	"ferry/internal/chat"
	"ferry/internal/fault"
)

// Error returns the message that answers an error: the first line says what
// went wrong, the rest what would help and what to write instead, which can also
// be pressed. What was misread is answered with what may have been meant before
// anything else. It is Final. For nil it returns the zero Message.
func Error(err error) chat.Message {
	if err == nil {
		return chat.Message{}
	}
	e, ok := errors.AsType[*fault.Error](err)
	switch {
	case !ok && (errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)):
		e = fault.New(fault.Unavailable, "that took too long and was stopped", "ask again")
	case !ok || e.Kind == fault.Internal || e.Says == "":
		e = fault.New(fault.Internal, "something went wrong inside ferry", "the details are in its log\nwhoever runs ferry can read them there")
	}
	title, rest := headline(e.Says)
	m := chat.Message{Tone: Tone(e.Kind), Title: capital(strings.TrimSuffix(title, ".")), Buttons: buttons(e.Choices, e.Offers), Final: true}
	help := sentences(rest, e.Help)
	if e.Kind == fault.Invalid || e.Kind == fault.NotFound {
		m.Lines = append(meant(e.Choices), help...)
		return m
	}
	m.Lines = help
	if len(e.Choices) == 1 && len(m.Buttons) == 1 {
		m.Buttons[0].Label = "Do that" // nothing was asked: it is an offer
	}
	for _, b := range m.Buttons {
		m.Lines = append(m.Lines, "• `"+b.Command+"`")
	}
	return m
}

// longest is how many characters a title may have before what follows its colon
// becomes a line of its own.
const longest = 60

// headline splits what is too long for a title.
func headline(says string) (title, rest string) {
	head, tail, ok := strings.Cut(says, ": ")
	if !ok || len([]rune(says)) <= longest || strings.Count(head, "`")%2 == 1 || len(strings.Fields(head)) < 3 {
		return says, ""
	}
	return head, tail
}

// sentences writes each line of the texts as a sentence.
func sentences(texts ...string) []string {
	var out []string
	for _, text := range texts {
		for line := range strings.Lines(text) {
			if line = strings.TrimSpace(line); line != "" {
				out = append(out, sentence(line))
			}
		}
	}
	return out
}

// meant asks whether one of the choices was meant.
func meant(choices []string) []string {
	if len(choices) == 0 {
		return nil
	}
	if len(choices) == 1 {
		return []string{"Did you mean `" + choices[0] + "`?"}
	}
	out := []string{"Did you mean one of these?"}
	for _, c := range choices {
		out = append(out, "• `"+c+"`")
	}
	return out
}

// buttons make choices that can be pressed. They are called by the words in
// which they differ, unless they have words of their own, and ask before they are
// sent.
func buttons(choices []string, offers []fault.Offer) []chat.Button {
	choices = slices.Clone(choices)
	for _, o := range offers {
		choices = append(choices, o.Command)
	}
	words := make([][]string, len(choices))
	for i, c := range choices {
		words[i] = strings.Fields(c)
	}
	out := make([]chat.Button, len(choices))
	for i, c := range choices {
		label := "Yes, that"
		if len(choices) > 1 {
			label = strings.Join(differing(words, i), " ")
		}
		out[i] = chat.Button{Label: label, Command: c, Confirm: "This sends “" + c + "” to ferry."}
	}
	for i, o := range offers {
		b := &out[len(out)-len(offers)+i]
		b.Label, b.Confirm = o.Label, o.Confirm
	}
	return out
}

// differing are the words of one choice without those that all begin and all end
// with.
func differing(words [][]string, i int) []string {
	common := func(at func(w []string, n int) string) (n int) {
		for {
			for _, w := range words {
				if n >= len(w) || at(w, n) != at(words[0], n) {
					return n
				}
			}
			n++
		}
	}
	head := common(func(w []string, n int) string { return w[n] })
	tail := common(func(w []string, n int) string { return w[len(w)-1-n] })
	for _, w := range words {
		if head+tail >= len(w) {
			return words[i] // one choice is another one with more words
		}
	}
	return words[i][head : len(words[i])-tail]
}

// Tone returns the mood in which an outcome is told.
func Tone(kind fault.Kind) chat.Tone {
	switch kind {
	case fault.Already, fault.Superseded:
		return chat.Info
	case fault.Internal, fault.Failed, fault.Expired, fault.Unavailable:
		return chat.Failure
	default:
		return chat.Refused
	}
}

// sentence is a line with a capital letter and a full stop. Lines of help are
// written to begin with a word, not with a name; ferry's own keeps its case.
func sentence(s string) string {
	first, _, _ := strings.Cut(s, " ")
	if word := strings.TrimRight(first, ",:;."); word != "ferry" && strings.Trim(word, "abcdefghijklmnopqrstuvwxyz") == "" {
		s = strings.ToUpper(s[:1]) + s[1:]
	}
	if strings.HasSuffix(s, ".") || strings.HasSuffix(s, "?") || strings.HasSuffix(s, "!") || strings.HasSuffix(s, "…") || strings.HasSuffix(s, ":") {
		return s
	}
	return s + "."
}

// capital begins with a capital letter, unless the first word may be a name:
// names keep their case.
func capital(s string) string {
	s = strings.TrimSpace(s)
	first, _, _ := strings.Cut(s, " ")
	if !slices.Contains(strings.Fields(openers), strings.TrimRight(first, ",:;")) {
		return s
	}
	return strings.ToUpper(s[:1]) + s[1:]
}

// openers are the words with which the sentences of faults begin when it is not
// with a name.
const openers = "a an the that this there these they it its you your he she somebody nobody something nothing no not none neither both " +
	"two three several some many all every each only another one at by for from in of on to with without within before after while when if since until because " +
	"ask add check did choose give is look make name pass push read send set take tell try type use wait was what who write cannot could"
