package grammar

import (
	"strings"
	"testing"

	"ferry/internal/chat"
)

// TestAnArgumentIsOneWordWhateverIsInIt: not even what a chat client makes of a text can
// end it early.
func TestAnArgumentIsOneWordWhateverIsInIt(t *testing.T) {
	t.Parallel()
	g, err := New([]chat.Syntax{{Verb: "kc", Form: "<line>"}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]string{
		"podinfo":                 `"podinfo"`,
		"two words":               `"two words"`,
		`x" --as=admin "`:         `"x\" --as=admin \""`,
		"x” --as=admin “":         `"x\" --as=admin \""`,
		"«x» ‘y’":                 `"\"x\" 'y'"`,
		`x\`:                      `"x\\"`,
		`\" --as=admin`:           `"\\\" --as=admin"`,
		"`x`":                     "\"`x`\"",
		`"x"`:                     `"\"x\""`,
		"<https://a.b|x> <!here>": `"<https://a.b|x> <!here>"`,
		"a && b; c | d $(e)":      `"a && b; c | d $(e)"`,
		"&lt; &quot;":             `"&lt; &quot;"`,
		"—as=admin":               `"--as=admin"`,
		"zero\u200bwidth":         `"zerowidth"`,
		"":                        `""`,
	} {
		word, err := Argument(text)
		if err != nil {
			t.Errorf("%q: %v", text, err)
			continue
		}
		_, _, args, err := g.Parse("kc x " + word)
		if err != nil || string(args.Line) != "x "+want {
			t.Errorf("%q is read as %q, %v; want %q", text, args.Line, err, "x "+want)
		}
	}
	for _, text := range []string{"two\nlines", "\u202eright to left", strings.Repeat("x", 3000), "\xff"} {
		if word, err := Argument(text); err == nil {
			t.Errorf("%q became %q", text, word)
		}
	}
}

func FuzzArgument(f *testing.F) {
	f.Add(`x" --as=admin`)
	f.Add("x” --as=admin “ <a|b>")
	f.Fuzz(func(t *testing.T, text string) {
		word, err := Argument(text)
		if err != nil {
			return
		}
		read, err := Clean("kc " + word)
		if err != nil {
			if len(word) < 1900 {
				t.Fatalf("%q became %q: %v", text, word, err)
			}
			return
		}
		inner := strings.TrimPrefix(read, "kc ")
		if len(inner) < 2 || inner[0] != '"' || inner[len(inner)-1] != '"' {
			t.Fatalf("%q is read as %q", text, inner)
		}
		for i, escaped := 1, false; i < len(inner); i++ {
			switch {
			case escaped:
				escaped = false
			case inner[i] == '\\':
				escaped = true
			case inner[i] == '"' && i < len(inner)-1:
				t.Fatalf("%q ends early in %q", text, inner)
			}
			if i == len(inner)-1 && escaped {
				t.Fatalf("%q does not end in %q", text, inner)
			}
		}
	})
}
