package yamledit_test

import (
	"strings"
)

// write puts a value at a column; behind says that something stands before it on
// its line already, such as a dash.
func (g *shapes) write(b *strings.Builder, t *tree, column int, behind bool) {
	pad := strings.Repeat(" ", column)
	lead := func(i int) {
		if i == 0 && behind {
			return
		}
		g.gap(b, pad)
		b.WriteString(pad)
	}
	if t.list {
		for i, item := range t.items {
			lead(i)
			if item.block == "" && (len(item.items) > 0 || len(item.pairs) > 0) && !g.flows(item) && item.ref == "" {
				b.WriteString("- ")
				g.write(b, item, column+2, true)
				continue
			}
			b.WriteString("-")
			g.inline(b, item, column)
		}
		return
	}
	for i, p := range t.pairs {
		lead(i)
		b.WriteString(g.key(p.key) + ":")
		g.inline(b, p.value, column)
	}
}

// gap is what may stand above a line.
func (g *shapes) gap(b *strings.Builder, pad string) {
	if g.r.IntN(10) == 0 {
		b.WriteString("\n")
	}
	if g.r.IntN(g.comment*2) == 0 {
		b.WriteString(pad + "# tag: v1 'x\n")
	}
	if g.r.IntN(g.comment*8) == 0 {
		b.WriteString("    " + pad + "# deeper\n\n")
	}
}

func (g *shapes) key(k string) string {
	if strings.HasPrefix(k, "q k") || g.r.IntN(30) == 0 {
		return pick(g.r, `"`+k+`"`, `'`+k+`'`)
	}
	return k
}

// inline writes a value behind its key or dash at a column, to the line's end.
func (g *shapes) inline(b *strings.Builder, t *tree, column int) {
	ref := ""
	if t.ref != "" {
		ref = " " + t.ref
	}
	switch {
	case strings.HasPrefix(t.ref, "*"):
		b.WriteString(ref + g.trailing() + "\n")
	case t.block != "":
		b.WriteString(ref + " " + t.block + "\n")
		pad := strings.Repeat(" ", column+g.width)
		for _, line := range strings.Split(strings.TrimRight(t.text, "\n"), "\n") {
			if line != "" {
				line = pad + line
			}
			b.WriteString(line + "\n")
		}
	case len(t.items)+len(t.pairs) == 0 && t.list:
		b.WriteString(ref + " []" + g.trailing() + "\n")
	case len(t.items)+len(t.pairs) == 0 && t.text == "" && g.r.IntN(2) == 0:
		b.WriteString(ref + " {}" + g.trailing() + "\n")
	case len(t.items)+len(t.pairs) == 0:
		text := t.text
		if text != "" {
			text = strings.Repeat(" ", pick(g.r, 1, 1, 1, 3)) + text
		}
		b.WriteString(ref + text + g.trailing() + "\n")
	case g.flows(t):
		b.WriteString(ref + " " + g.flow(t, column) + g.trailing() + "\n")
	default:
		b.WriteString(ref + g.trailing() + "\n")
		if t.list {
			g.write(b, t, column+g.dashes, false)
		} else {
			g.write(b, t, column+g.width, false)
		}
	}
}

// trailing is a comment on a line, or none.
func (g *shapes) trailing() string {
	if g.r.IntN(g.comment) != 0 {
		return ""
	}
	return pick(g.r, " # v1", "\t# {\"$imagepolicy\": \"a:b\"}", "   #", " # {\"$imagepolicy\": \"flux-system:app:tag\"}", " # it's")
}

// flows reports a value that may stand within brackets, and shall here. Which
// one does depends on the text alone, so that asking twice is no harm.
func (g *shapes) flows(t *tree) bool { return g.flat(t) && len(t.first())%3 == 0 }

// flat reports a value without blocks of text, anchors and empty values.
func (g *shapes) flat(t *tree) bool {
	if t.block != "" || t.ref != "" {
		return false
	}
	for _, p := range t.pairs {
		if !g.flat(p.value) || strings.HasPrefix(p.value.text, "${") {
			return false
		}
	}
	for _, item := range t.items {
		if !g.flat(item) || strings.HasPrefix(item.text, "${") {
			return false
		}
	}
	return len(t.items)+len(t.pairs) > 0 || t.text != "" && !strings.HasSuffix(t.text, "${TAG}")
}

// first is the first text in a value.
func (t *tree) first() string {
	switch {
	case len(t.pairs) > 0:
		return t.pairs[0].key + t.pairs[0].value.first()
	case len(t.items) > 0:
		return t.items[0].first()
	}
	return t.text
}

// flow writes a value within brackets, of one line or with an entry on each.
func (g *shapes) flow(t *tree, column int) string {
	var parts []string
	for _, p := range t.pairs {
		parts = append(parts, g.key(p.key)+": "+g.flow(p.value, column+g.width))
	}
	for _, item := range t.items {
		parts = append(parts, g.flow(item, column+g.width))
	}
	if parts == nil {
		return t.text
	}
	left, right := "{", "}"
	if t.list {
		left, right = "[", "]"
	}
	if g.r.IntN(4) > 0 {
		pad := pick(g.r, "", "", " ")
		return left + pad + strings.Join(parts, ", ") + pick(g.r, "", "", "", ",") + pad + right
	}
	pad := "\n" + strings.Repeat(" ", column+g.width)
	last := pick(g.r, "", ",") + pick(g.r, "", " # last", "  # it's")
	return left + pad + strings.Join(parts, ","+pick(g.r, "", " # one")+pad) + last + "\n" + strings.Repeat(" ", column+1) + right
}
