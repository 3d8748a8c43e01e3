package chat

import "testing"

func TestUsage(t *testing.T) {
	for _, c := range []struct{ form, want string }{
		{"<app>@<version> [<field>] to <cluster>", "promote app@version [chart|image] to cluster"},
		{"[<glob>] [on <cluster>] [in <namespace>]", "promote [app-pattern] [on cluster] [in namespace]"},
		{"", "promote"},
	} {
		if got := (Syntax{Verb: "promote", Form: c.form}).Usage(); got != c.want {
			t.Errorf("usage of %q = %q, want %q", c.form, got, c.want)
		}
	}
}
