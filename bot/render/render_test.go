package render

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"ferry/internal/chat"
)

var update = flag.Bool("update", false, "write the golden files")

func examples() map[string]Input {
	table := &chat.Table{
		Columns: []string{"App", "prod", "stage"},
		Rows:    [][]string{{"podinfo/podinfo", "6.5.3", "6.5.4"}, {"shop/cart", "1.0.0", ""}},
	}
	return map[string]Input{
		"progress": {Message: chat.Message{
			Tone: chat.Progress, Title: "Promote `podinfo` 6.5.4 to *prod*", By: "U024BE7LH",
			Steps: []chat.Step{
				{State: chat.StepDone, Text: "planned"},
				{State: chat.StepDone, Text: "Commit 1a2b3c4", URL: "https://github.com/o/r/commit/1a2b3c4"},
				{State: chat.StepRunning, Text: "committing"},
				{State: chat.StepWaiting, Text: "rollout"},
				{State: chat.StepSkipped, Text: "approval"},
				{State: chat.StepFailed, Text: "x"},
			},
			Fields: []chat.Field{{Name: "From", Value: "6.5.3"}, {Name: "Commit", Value: "`1a2b3c4`"}},
			Links:  []chat.Link{{Text: "commit", URL: "https://github.com/o/r/commit/1a2b?a=1&b=2"}, {Text: "bad", URL: "javascript:alert(1)"}},
			Footer: "job ab3de",
		}},
		"buttons": {
			Message: chat.Message{
				Tone: chat.Failure, Title: "podinfo did not become healthy on prod", Lines: []string{"ImagePullBackOff: not found"},
				Buttons: []chat.Button{
					{Label: "Roll back", Command: "rollback podinfo on prod", Danger: true, Confirm: "Go back to 6.5.3?"},
					{Label: "Show status", Command: "status ab3de"},
				},
			},
			Operations: []string{"job/ab3de/closing|0|aabbcc", "job/ab3de/closing|1|ddeeff"},
		},
		"asked": {
			Message: chat.Message{Tone: chat.Failure, Title: "podinfo did not become healthy on prod"},
			Asked:   []Asked{{Command: "rollback podinfo on prod", By: "U024BE7LH"}},
		},
		"table": {Message: chat.Message{Tone: chat.Info, Title: "2 apps", Table: table}},
		"code":  {Message: chat.Message{Tone: chat.Info, Title: "Diff", Code: &chat.Code{Lang: "diff", Text: "-tag: 6.5.3\n+tag: <6.5.4> & `more`\n"}}},
		"injection": {Message: chat.Message{
			Tone: chat.Info, Title: "label <!channel> & @here <@U1>", By: "U1><!channel",
			Lines:  []string{"<!subteam^S1> <https://evil.example|podinfo> <#C1>"},
			Steps:  []chat.Step{{State: chat.StepDone, Text: "<!here>\n<!everyone>"}, {State: chat.StepDone, Text: "<!here>|<@U6>", URL: "https://a.example/>|<!channel>"}},
			Fields: []chat.Field{{Name: "<@U2>", Value: "<!channel>"}},
			Table:  &chat.Table{Columns: []string{"<@U3>"}, Rows: [][]string{{"<!channel>"}}},
			Links:  []chat.Link{{Text: "x|<@U4>", URL: "https://a.example/|<!channel>"}},
			Footer: "<@U5>",
		}, Asked: []Asked{{Command: "x` <!channel>", By: "bad"}}},
	}
}

func encode(t testing.TB, out Output) []byte {
	t.Helper()
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(map[string]any{"text": out.Text, "blocks": out.Blocks}); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestGolden(t *testing.T) {
	t.Parallel()
	for name, in := range examples() {
		for rung := Table; rung <= Last; rung++ {
			if rung > Table && !Needs(in.Message, rung-1) {
				continue
			}
			file := filepath.Join("testdata", fmt.Sprintf("%s.%d.json", name, rung))
			got := encode(t, Message(in, rung))
			if *update {
				if err := os.WriteFile(file, got, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(got, want) {
				t.Errorf("%s: got\n%s", file, got)
			}
		}
	}
}

// check walks a rendered message and enforces Slack's limits and that no mark
// is left which Slack would act on.
func check(t *testing.T, in Input, rung Rung) {
	t.Helper()
	out := Message(in, rung)
	var raw []map[string]any
	b, err := json.Marshal(out.Blocks)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b, &raw); err != nil {
		t.Fatal(err)
	}
	if len(raw) > 50 || len(raw) == 0 || out.Text == "" || utf8.RuneCountInString(out.Text) > 4000 || !utf8.ValidString(out.Text) {
		t.Fatalf("%d blocks, a text of %d", len(raw), len(out.Text))
	}
	harmless(t, out.Text)
	total := 0
	var walk func(v any, raw bool)
	walk = func(v any, literal bool) {
		switch v := v.(type) {
		case map[string]any:
			kind, _ := v["type"].(string)
			text, _ := v["text"].(string)
			total += len(text)
			if strings.Contains(text, "\ufffd") {
				t.Errorf("a character was cut in %q", text)
			}
			switch kind {
			case "mrkdwn":
				if v["verbatim"] != true || len(text) > 3000 || text == "" {
					t.Errorf("a text of %d bytes, verbatim %v", len(text), v["verbatim"])
				}
				harmless(t, text)
			case "plain_text":
				if len(text) > 300 || text == "" {
					t.Errorf("a plain text of %d bytes", len(text))
				}
			}
			for _, c := range v {
				walk(c, literal)
			}
		case []any:
			for _, c := range v {
				walk(c, literal)
			}
		}
	}
	for _, block := range raw {
		if kind := block["type"]; kind == "section" && block["text"] == nil && block["fields"] == nil {
			t.Error("an empty section")
		}
		walk(block, false)
	}
	if total > 13200 {
		t.Errorf("%d characters over all blocks", total)
	}
}

func harmless(t *testing.T, text string) {
	t.Helper()
	for rest := text; ; {
		_, after, ok := strings.Cut(rest, "<")
		if !ok {
			return
		}
		mark, next, _ := strings.Cut(after, ">")
		if mark != "@U024BE7LH" && !strings.HasPrefix(mark, "https://") {
			t.Errorf("the mark <%s> is left in %.200q", mark, text)
		}
		rest = next
	}
}

func TestLimitsAndHarmlessness(t *testing.T) {
	t.Parallel()
	huge := func(n int) string { return strings.Repeat("é<&>漢\n@channel ", n) }
	big := Input{Message: chat.Message{Tone: chat.Done, Title: huge(500), Footer: huge(500), By: "U024BE7LH", Code: &chat.Code{Text: huge(5000)}}}
	big.Table = &chat.Table{Columns: []string{huge(50), "b", ""}}
	for i := range 300 {
		big.Lines = append(big.Lines, huge(3))
		big.Steps = append(big.Steps, chat.Step{State: chat.StepDone, Text: huge(4)}, chat.Step{Text: huge(4), URL: "https://a.example/" + huge(4)})
		big.Table.Rows = append(big.Table.Rows, []string{huge(i), "", fmt.Sprint(i)})
	}
	for i := range 40 {
		big.Fields = append(big.Fields, chat.Field{Name: huge(9), Value: huge(400)})
		big.Links = append(big.Links, chat.Link{Text: huge(20), URL: "https://a.example/" + fmt.Sprint(i)})
		big.Buttons = append(big.Buttons, chat.Button{Label: huge(20), Confirm: huge(90)})
		big.Operations = append(big.Operations, "op")
	}
	some := big
	some.Steps, some.Fields, some.Lines, some.Links = nil, nil, nil, nil
	onlyTable := Input{Message: chat.Message{Title: "t", Table: big.Table}}
	all := examples()
	all["big"], all["some"], all["table of 300"] = big, some, onlyTable
	all["empty"] = Input{Message: chat.Message{Title: "x"}}
	for name, in := range all {
		for rung := Table; rung <= Last; rung++ {
			t.Run(fmt.Sprintf("%s %d", name, rung), func(t *testing.T) {
				t.Parallel()
				check(t, in, rung)
			})
		}
	}
}

func TestWhatIsCutIsCounted(t *testing.T) {
	t.Parallel()
	in := Input{Message: chat.Message{Title: "t", Table: &chat.Table{Columns: []string{"n"}}, Code: &chat.Code{}}}
	for i := range 250 {
		in.Table.Rows = append(in.Table.Rows, []string{fmt.Sprint(i)})
		in.Code.Text += strings.Repeat("x", 99) + "\n"
	}
	for i := range 300 {
		in.Steps = append(in.Steps, chat.Step{Text: fmt.Sprintf("step %d of many", i)})
	}
	got := string(encode(t, Message(in, Table)))
	for _, want := range []string{"… 151 more rows", "more lines", "more steps"} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is not in it", want)
		}
	}
}

func BenchmarkMessage(b *testing.B) {
	in := examples()["progress"]
	for b.Loop() {
		if _, err := json.Marshal(Message(in, Table).Blocks); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkTable(b *testing.B) {
	in := Input{Message: chat.Message{Title: "t", Table: &chat.Table{Columns: []string{"App", "prod", "stage", "dev"}}}}
	for i := range 99 {
		in.Table.Rows = append(in.Table.Rows, []string{fmt.Sprintf("ns/app-%d", i), "6.5.4", "6.5.4", "6.5.5"})
	}
	for b.Loop() {
		if _, err := json.Marshal(Message(in, Table).Blocks); err != nil {
			b.Fatal(err)
		}
	}
}
