package changes

import (
	"strings"
	"testing"

	"ferry/plugins/sources/cluster/clustertest"
)

// TestAnotherConfiguration: after a restart with one under which other fields or other
// namespaces matter, what is there is no change.
func TestAnotherConfiguration(t *testing.T) {
	for _, again := range []string{
		"kinds: [apps/v1/deployments]\nignore: [spec.replicas]\n",
		"kinds: [apps/v1/deployments]\nnamespaces: {include: [\"*\"]}\n",
	} {
		s := clustertest.New(t)
		s.Put(deploys, deploy("web", "app:1", 1))
		s.Put(deploys, deploy("api", "app:1", 1))
		s.Put(deploys, strings.ReplaceAll(deploy("other", "app:1", 1), `"namespace":"a"`, `"namespace":"b"`))
		l := clustertest.Listen(t, Source{}, s, "kinds: [apps/v1/deployments]\nnamespaces: {include: [a]}\n")
		s.AwaitLists(t, 1)
		s.Put(deploys, deploy("web", "app:2", 2))
		l.Await(t, "Deployment a/web changed", 1)
		cursor := l.Cursor()
		l.Stop(t)
		s.Forget()
		next := clustertest.ListenFrom(t, Source{}, s, again, cursor)
		s.AwaitLists(t, 2)
		s.Put(deploys, deploy("web", "app:3", 3))
		next.Await(t, "Deployment a/web changed", 1)
		s.Delete(deploys, "a", "api")
		next.Await(t, "Deployment a/api was deleted", 1)
		if got := next.Events(); len(got) != 2 || !strings.HasSuffix(got[0].Text, "app:2 → app:3") {
			t.Errorf("under %q it told %+v", again, got)
		}
	}
}
