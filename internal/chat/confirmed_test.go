package chat

import "testing"

func TestReadable(t *testing.T) {
	t.Parallel()
	for command, want := range map[string]string{
		"kubectl confirmed:813d01344d2b scale deploy/web  on prod": "kubectl scale deploy/web  on prod",
		"kubectl get pods on prod":                                 "kubectl get pods on prod",
		"echo confirmed:yes it is":                                 "echo confirmed:yes it is",
		"kubectl confirmed:813d01344d2b":                           "kubectl confirmed:813d01344d2b",
		"":                                                         "",
	} {
		if got := Readable(command); got != want {
			t.Errorf("%q: %q, want %q", command, got, want)
		}
	}
}
