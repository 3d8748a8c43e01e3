package github_test

import (
	"fmt"
	"testing"
)

// One promotion as ferry does it: read the head, commit on it.
func BenchmarkPromotion(b *testing.B) {
	w := start(b)
	c := w.client("writer")
	for i := range b.N {
		at, _, err := c.Repositories.GetCommitSHA1(b.Context(), "acme", "fleet", "main", "")
		if err != nil || at == "" {
			b.Fatal(err)
		}
		if w.commit(b, c, "main", head(b, w.repo), version(i)) == "" {
			b.Fatal("stale")
		}
	}
}

func BenchmarkCreateCommitOnBranch(b *testing.B) {
	w := start(b)
	c := w.client("writer")
	at := head(b, w.repo)
	for i := 0; b.Loop(); i++ {
		at = w.commit(b, c, "main", at, version(i))
	}
}

func BenchmarkHead(b *testing.B) {
	w := start(b)
	c := w.client("reader")
	for b.Loop() {
		if _, _, err := c.Repositories.GetCommitSHA1(b.Context(), "acme", "fleet", "main", ""); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkRecursiveTree(b *testing.B) {
	w := start(b)
	files := map[string]string{}
	for i := range 2000 {
		files[fmt.Sprintf("apps/a%d/kustomization.yaml", i)] = fmt.Sprint(i)
	}
	if _, err := w.repo.Commit("main", "many", files); err != nil {
		b.Fatal(err)
	}
	c := w.client("reader")
	for b.Loop() {
		if _, _, err := c.Git.GetTree(b.Context(), "acme", "fleet", "main", true); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkBlobsByAlias(b *testing.B) {
	w := start(b)
	q := `{ repository(owner: "acme", name: "fleet") {`
	for i := range 100 {
		q += fmt.Sprintf(` b%d: object(expression: "main:%s") { ... on Blob { text oid } }`, i, kustomization)
	}
	c := w.client("reader")
	for b.Loop() {
		if out, err := graphQL(b.Context(), c, q+"} }", nil); err != nil || len(out.Errors) > 0 {
			b.Fatal(err, out.Errors)
		}
	}
}
