package slack

import (
	"encoding/json"
	"regexp"
	"strings"
)

// typed turns what a person types into Slack's text: &, < and > become
// entities, @name, #name, @here and addresses become tokens; nothing inside
// `code` does. Tokens that name a known user or channel by ID stay, so that
// scripts may write <@U…> as well.
func (w *workspace) typed(text string) string {
	var b strings.Builder
	for i, part := range strings.Split(text, "```") {
		if i > 0 {
			b.WriteString("```")
		}
		if i%2 == 1 {
			b.WriteString(escapeText(part))
			continue
		}
		for j, piece := range strings.Split(part, "`") {
			if j > 0 {
				b.WriteString("`")
			}
			if j%2 == 1 {
				b.WriteString(escapeText(piece))
			} else {
				b.WriteString(w.tokens(piece))
			}
		}
	}
	return b.String()
}

func escapeText(text string) string {
	return strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;").Replace(text)
}

func unescapeText(text string) string {
	return strings.NewReplacer("&lt;", "<", "&gt;", ">", "&amp;", "&").Replace(text)
}

// typedToken finds what the composer makes something of. A name starts at the
// beginning of a word: "podinfo@6.5.4" names nobody.
var typedToken = regexp.MustCompile(`<@[UW][A-Z0-9]+>|<#C[A-Z0-9]+>` +
	`|https?://[^\s<>]*[^\s<>.,;:!?'")\]]` +
	`|@[\p{L}\p{N}._-]+` +
	`|#[\p{L}\p{N}._-]+` +
	`|[A-Za-z0-9._%+-]+@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*\.[A-Za-z]{2,}\b` +
	`|(?:[a-z0-9-]+\.)+(?:com|org|net|io|dev|de)\b(?::\d+)?(?:/[^\s<>]*[^\s<>.,;:!?'")\]])?`)

func (w *workspace) tokens(text string) string {
	var b strings.Builder
	last := 0
	for _, span := range typedToken.FindAllStringIndex(text, -1) {
		token := text[span[0]:span[1]]
		before := span[0] > 0 && isWord(text[span[0]-1])
		made := ""
		if !before {
			made = w.token(token)
		}
		if made == "" {
			continue
		}
		b.WriteString(escapeText(text[last:span[0]]))
		b.WriteString(made)
		last = span[1]
	}
	b.WriteString(escapeText(text[last:]))
	return b.String()
}

// isWord reports whether a token cannot start after b.
func isWord(b byte) bool {
	return b == '_' || b == '@' || b == '/' || b == '.' || b >= '0' && b <= '9' || b >= 'a' && b <= 'z' || b >= 'A' && b <= 'Z' || b >= 0x80
}

// token is what one typed word becomes; empty if it is only text.
func (w *workspace) token(word string) string {
	switch {
	case strings.HasPrefix(word, "<@"):
		if w.user(strings.Trim(word, "<@>")) != nil {
			return word
		}
	case strings.HasPrefix(word, "<#"):
		if c := w.channel(strings.Trim(word, "<#>")); c != nil {
			return "<#" + c.ID + "|" + c.Name + ">"
		}
	case strings.HasPrefix(word, "@"):
		return w.mention(word)
	case strings.HasPrefix(word, "#"):
		name := strings.TrimRight(word[1:], ".")
		for _, c := range w.channels {
			if c.dm == "" && c.Name == name {
				return "<#" + c.ID + "|" + c.Name + ">" + word[1+len(name):]
			}
		}
	case strings.Contains(word, "://"):
		return "<" + strings.ReplaceAll(word, "&", "&amp;") + ">"
	case strings.Contains(word, "@"):
		return "<mailto:" + word + "|" + word + ">"
	default:
		return "<http://" + strings.ReplaceAll(word, "&", "&amp;") + "|" + word + ">"
	}
	return ""
}

func (w *workspace) mention(word string) string {
	for name := word[1:]; name != ""; name = name[:len(name)-1] {
		rest := word[1+len(name):]
		switch name {
		case "here", "channel", "everyone":
			return "<!" + name + ">" + rest
		}
		for _, u := range w.users {
			if strings.EqualFold(u.Name, name) && !u.Deleted {
				return "<@" + u.ID + ">" + rest
			}
		}
		for _, g := range w.groups {
			if g.Handle == name {
				return "<!subteam^" + g.ID + ">" + rest
			}
		}
		if last := name[len(name)-1]; last != '.' && last != '-' && last != '_' {
			return "" // only punctuation is given back: "@ferry." is @ferry
		}
	}
	return ""
}

// saidToken is what an app may write as markup, and entities.
var saidToken = regexp.MustCompile(`<(?:@[UW][A-Z0-9]+(?:\|[^<>\n]*)?|#[CG][A-Z0-9]+(?:\|[^<>\n]*)?|![a-z^A-Z0-9]+[^<>\n]*|(?:https?|mailto|slack|tel):[^<>\n]*)>|&(?:amp|lt|gt);`)

// storedToken is the markup of stored text.
var storedToken = regexp.MustCompile(`<([@#!]?)([^<>|]+)(?:\|([^<>]*))?>`)

// said turns an app's text into what Slack stores: tokens and entities stay,
// every other &, < and > becomes an entity.
func said(text string) string {
	var b strings.Builder
	last := 0
	for _, span := range saidToken.FindAllStringIndex(text, -1) {
		b.WriteString(escapeText(text[last:span[0]]))
		b.WriteString(text[span[0]:span[1]])
		last = span[1]
	}
	b.WriteString(escapeText(text[last:]))
	return b.String()
}

// richText is the rich_text block that Slack's composer attaches to what a
// person types; formatting other than tokens is left as text.
func richText(text, blockID string) json.RawMessage {
	elements := []map[string]any{}
	plain := func(part string) {
		if part != "" {
			elements = append(elements, map[string]any{"type": "text", "text": unescapeText(part)})
		}
	}
	last := 0
	for _, m := range storedToken.FindAllStringSubmatchIndex(text, -1) {
		plain(text[last:m[0]])
		last = m[1]
		kind, ref := text[m[2]:m[3]], text[m[4]:m[5]]
		switch kind {
		case "@":
			elements = append(elements, map[string]any{"type": "user", "user_id": ref})
		case "#":
			elements = append(elements, map[string]any{"type": "channel", "channel_id": ref})
		case "!":
			if id, ok := strings.CutPrefix(ref, "subteam^"); ok {
				elements = append(elements, map[string]any{"type": "usergroup", "usergroup_id": id})
			} else {
				elements = append(elements, map[string]any{"type": "broadcast", "range": ref})
			}
		default:
			link := map[string]any{"type": "link", "url": unescapeText(ref)}
			if m[6] >= 0 {
				link["text"] = unescapeText(text[m[6]:m[7]])
			}
			elements = append(elements, link)
		}
	}
	plain(text[last:])
	section := map[string]any{"type": "rich_text_section", "elements": elements}
	return mustJSON([]any{map[string]any{"type": "rich_text", "block_id": blockID, "elements": []any{section}}})
}

// mustJSON encodes values made of maps, strings and numbers, which cannot fail.
func mustJSON(v any) json.RawMessage {
	raw, err := json.Marshal(v)
	if err != nil {
		panic("encode own value: " + err.Error())
	}
	return raw
}
