package e2e

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/yaml"

	"ferry/e2e/testbed"
)

const podinfo = "ghcr.io/stefanprodan/podinfo:"

// TestTestbed proves the ground that the scenarios stand on, without ferry.
func TestTestbed(t *testing.T) {
	w := newWorld(t, "prod", "stage")
	prod := w.clusters["prod"]
	t.Run("the fleet runs as the repository says", func(t *testing.T) {
		for name, cluster := range w.clusters {
			for app, want := range fleet()[name] {
				namespace, deployment, _ := strings.Cut(app, "/")
				have, err := cluster.DeploymentImage(t.Context(), namespace, deployment)
				must(t, err)
				if have != want {
					t.Errorf("%s runs %s of %s, want %s", name, have, app, want)
				}
			}
		}
	})
	t.Run("memory", func(t *testing.T) {
		for name, cluster := range w.clusters {
			t.Logf("%s: %d MiB", name, cluster.TotalMemory()>>20)
			for process, bytes := range cluster.Memory() {
				t.Logf("%s: %s %d MiB", name, process, bytes>>20)
			}
		}
	})
	t.Run("floor", func(t *testing.T) { w.measureFloor(t, prod) })
	t.Run("a chart version", func(t *testing.T) {
		w.edit(t, prod, "apps/prod/releases/gateway.yaml", "6.5.3", "6.5.4")
		must(t, prod.WaitImage(t.Context(), "podinfo", "gateway", podinfo+"6.5.4"))
		must(t, prod.WaitReady(t.Context(), testbed.HelmRelease, "podinfo", "gateway"))
	})
	t.Run("a chart that Helm takes back", func(t *testing.T) { w.takeBack(t, prod) })
	t.Run("an image that cannot be pulled", func(t *testing.T) { w.fail(t, prod, "9.9.9-broken", "ImagePullBackOff") })
	t.Run("an image that crashes", func(t *testing.T) { w.fail(t, prod, "9.9.9-crash", "CrashLoopBackOff") })
	t.Run("a Kustomization that waits", func(t *testing.T) { w.waits(t, prod) })
	t.Run("stage was left alone", func(t *testing.T) {
		have, err := w.clusters["stage"].DeploymentImage(t.Context(), "podinfo", "podinfo")
		must(t, err)
		if have != podinfo+"6.5.4" {
			t.Errorf("stage runs %s", have)
		}
	})
	t.Run("ferry may read and ask, no more", func(t *testing.T) { restricted(t, prod) })
	t.Run("down and up again", func(t *testing.T) { w.downAndUp(t, prod) })
	t.Run("nothing is left", func(t *testing.T) {
		if running := living(t, prod.Dir()); len(running) != 7 {
			t.Errorf("a cluster is 7 processes, these run: %v", running)
		}
		must(t, prod.Stop())
		if left := living(t, prod.Dir()); len(left) > 0 {
			t.Errorf("left running: %v", left)
		}
	})
}

// edit pushes a change of one file and asks the cluster's Flux to look.
func (w *world) edit(t *testing.T, cluster *testbed.Cluster, file, from, to string) {
	t.Helper()
	_, err := w.repo.edit(file, from, to)
	must(t, err)
	must(t, cluster.Reconcile(t.Context(), testbed.GitRepository, "flux-system", "flux-system"))
}

// measureFloor prints what a promotion costs without ferry: push, annotate, wait.
func (w *world) measureFloor(t *testing.T, cluster *testbed.Cluster) {
	const file = "apps/prod/podinfo/kustomization.yaml"
	var pushes, seen, rolled []time.Duration
	tag := "6.5.3"
	for round := range 5 {
		next := fmt.Sprintf("6.6.%d", round)
		begin := time.Now()
		commit, err := w.repo.edit(file, tag, next)
		must(t, err)
		pushed := time.Now()
		must(t, cluster.Reconcile(t.Context(), testbed.GitRepository, "flux-system", "flux-system"))
		must(t, cluster.WaitImage(t.Context(), "podinfo", "podinfo", podinfo+next))
		changed := time.Now()
		must(t, cluster.WaitRollout(t.Context(), "podinfo", "podinfo"))
		pushes = append(pushes, pushed.Sub(begin))
		seen = append(seen, changed.Sub(pushed))
		rolled = append(rolled, time.Since(changed))
		tag = next
		must(t, cluster.WaitRevision(t.Context(), commit)) // the next round starts at rest
	}
	t.Logf("floor, median of %d: commit and push %v, new image in the Deployment %v later, rolled out %v after that",
		len(pushes), median(pushes), median(seen), median(rolled))
	t.Logf("each: %v %v %v", pushes, seen, rolled)
	w.edit(t, cluster, file, tag, "6.5.3")
	must(t, cluster.WaitImage(t.Context(), "podinfo", "podinfo", podinfo+"6.5.3"))
}

func median(all []time.Duration) time.Duration {
	sorted := slices.Sorted(slices.Values(all))
	return sorted[len(sorted)/2].Round(time.Millisecond)
}

// takeBack sees Helm's own remediation: the bad chart's image appears, and the release goes back by itself.
func (w *world) takeBack(t *testing.T, cluster *testbed.Cluster) {
	begin := time.Now()
	w.edit(t, cluster, "apps/prod/releases/gateway.yaml", "6.5.4", "6.5.5")
	must(t, cluster.WaitImage(t.Context(), "podinfo", "gateway", podinfo+"6.5.5-broken"))
	must(t, cluster.WaitImage(t.Context(), "podinfo", "gateway", podinfo+"6.5.4"))
	must(t, cluster.WaitCondition(t.Context(), testbed.HelmRelease, "podinfo", "gateway", "False"))
	t.Logf("taken back after %.1f s", time.Since(begin).Seconds())
	logStatus(t, cluster, testbed.HelmRelease, "podinfo", "gateway")
	w.edit(t, cluster, "apps/prod/releases/gateway.yaml", "6.5.5", "6.5.4")
	must(t, cluster.WaitReady(t.Context(), testbed.HelmRelease, "podinfo", "gateway"))
}

// fail deploys an image that never gets ready, sees why, and goes back.
func (w *world) fail(t *testing.T, cluster *testbed.Cluster, tag, reason string) {
	const file = "apps/prod/podinfo/kustomization.yaml"
	begin := time.Now()
	w.edit(t, cluster, file, "6.5.3", tag)
	must(t, cluster.WaitFor(t.Context(), reason, func(ctx context.Context) (bool, string, error) {
		pods, err := cluster.Typed.CoreV1().Pods("podinfo").List(ctx, metav1.ListOptions{LabelSelector: "app=podinfo"})
		if err != nil {
			return false, "", err
		}
		for _, pod := range pods.Items {
			for _, status := range pod.Status.ContainerStatuses {
				if status.Image == podinfo+tag && status.State.Waiting != nil {
					return status.State.Waiting.Reason == reason, status.State.Waiting.Reason, nil
				}
			}
		}
		return false, "no such pod", nil
	}))
	t.Logf("%s after %.2f s", reason, time.Since(begin).Seconds())
	begin = time.Now()
	w.edit(t, cluster, file, tag, "6.5.3")
	must(t, cluster.WaitImage(t.Context(), "podinfo", "podinfo", podinfo+"6.5.3"))
	t.Logf("back in Git and in the Deployment after %.1f s", time.Since(begin).Seconds())
	must(t, cluster.WaitRollout(t.Context(), "podinfo", "podinfo"))
	must(t, cluster.WaitReady(t.Context(), testbed.Kustomization, "flux-system", "podinfo"))
}

// waits sees what a failing Kustomization with `wait: true` tells: attempted, not applied, and not Ready.
func (w *world) waits(t *testing.T, cluster *testbed.Cluster) {
	const file = "apps/prod/checkout/kustomization.yaml"
	before, err := w.repo.Head(branch)
	must(t, err)
	must(t, cluster.WaitRevision(t.Context(), string(before)))
	begin := time.Now()
	w.edit(t, cluster, file, "2.4.0", "2.4.1-broken")
	must(t, cluster.WaitImage(t.Context(), "podinfo", "checkout", "ghcr.io/team/checkout:2.4.1-broken"))
	must(t, cluster.WaitCondition(t.Context(), testbed.Kustomization, "flux-system", "checkout", "False"))
	t.Logf("failed after %.1f s", time.Since(begin).Seconds())
	logStatus(t, cluster, testbed.Kustomization, "flux-system", "checkout")
	after, err := w.repo.Head(branch)
	must(t, err)
	obj, err := cluster.Get(t.Context(), testbed.Kustomization, "flux-system", "checkout")
	must(t, err)
	status, _ := obj.Object["status"].(map[string]any)
	if want := "main@sha1:" + string(before); status["lastAppliedRevision"] != want {
		t.Errorf("applied %v, want %v", status["lastAppliedRevision"], want)
	}
	if want := "main@sha1:" + string(after); status["lastAttemptedRevision"] != want {
		t.Errorf("attempted %v, want %v", status["lastAttemptedRevision"], want)
	}
	begin = time.Now()
	w.edit(t, cluster, file, "2.4.1-broken", "2.4.0")
	must(t, cluster.WaitReady(t.Context(), testbed.Kustomization, "flux-system", "checkout"))
	must(t, cluster.WaitRollout(t.Context(), "podinfo", "checkout"))
	t.Logf("mended after %.1f s", time.Since(begin).Seconds())
}

// logStatus keeps in the log what Flux tells of an object, for those who write code against it.
func logStatus(t *testing.T, cluster *testbed.Cluster, kind testbed.Resource, namespace, name string) {
	t.Helper()
	obj, err := cluster.Get(t.Context(), kind, namespace, name)
	must(t, err)
	status, err := json.MarshalIndent(obj.Object["status"], "", " ")
	must(t, err)
	t.Logf("%s %s", name, status)
}

func restricted(t *testing.T, cluster *testbed.Cluster) {
	config, err := clientcmd.BuildConfigFromFlags("", cluster.FerryKubeconfig())
	must(t, err)
	client, err := kubernetes.NewForConfig(config)
	must(t, err)
	deployments := client.AppsV1().Deployments("podinfo")
	_, err = deployments.Get(t.Context(), "podinfo", metav1.GetOptions{})
	must(t, err)
	if err := deployments.Delete(t.Context(), "podinfo", metav1.DeleteOptions{}); !apierrors.IsForbidden(err) {
		t.Errorf("ferry deletes a Deployment: %v", err)
	}
	if _, err := client.CoreV1().Secrets("").List(t.Context(), metav1.ListOptions{}); !apierrors.IsForbidden(err) {
		t.Errorf("ferry lists Secrets: %v", err)
	}
}

func (w *world) downAndUp(t *testing.T, cluster *testbed.Cluster) {
	must(t, cluster.Freeze())
	short, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	if _, err := cluster.DeploymentImage(short, "podinfo", "podinfo"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a frozen API server answered: %v", err)
	}
	must(t, cluster.Thaw())
	_, err := cluster.DeploymentImage(t.Context(), "podinfo", "podinfo")
	must(t, err)

	cluster.Down()
	if _, err := cluster.DeploymentImage(t.Context(), "podinfo", "podinfo"); err == nil {
		t.Fatal("the API server answers although it is down")
	}
	begin := time.Now()
	must(t, cluster.Up(t.Context()))
	t.Logf("up again after %.1f s", time.Since(begin).Seconds())
	have, err := cluster.DeploymentImage(t.Context(), "podinfo", "podinfo")
	must(t, err)
	if have != podinfo+"6.5.3" {
		t.Errorf("came back with %s", have)
	}
	begin = time.Now()
	w.edit(t, cluster, "apps/prod/podinfo/kustomization.yaml", "6.5.3", "6.5.4")
	must(t, cluster.WaitImage(t.Context(), "podinfo", "podinfo", podinfo+"6.5.4"))
	must(t, cluster.WaitRollout(t.Context(), "podinfo", "podinfo"))
	t.Logf("the controllers found back: a push is rolled out after %.1f s", time.Since(begin).Seconds())
}

// TestDiesWithItsParent kills the program that runs a cluster and sees that the cluster goes too.
func TestDiesWithItsParent(t *testing.T) {
	if testing.Short() {
		t.Skip("real clusters take more than -short allows")
	}
	dir := t.TempDir()
	if parent := os.Getenv("FERRY_TESTBED_PARENT"); parent != "" {
		if _, err := testbed.Start(t.Context(), testbed.Options{Name: "orphan", Dir: parent}); err != nil {
			t.Fatal(err)
		}
		must(t, os.WriteFile(filepath.Join(parent, "up"), nil, 0o600))
		select {} // until it is killed
	}
	parent := exec.Command(os.Args[0], "-test.run=^TestDiesWithItsParent$")
	parent.Env = append(os.Environ(), "FERRY_TESTBED_PARENT="+dir)
	parent.Stdout, parent.Stderr = t.Output(), t.Output()
	must(t, parent.Start())
	until(t, "the cluster to be up", func() bool {
		_, err := os.Stat(filepath.Join(dir, "up"))
		return err == nil
	})
	if running := living(t, dir); len(running) != 7 {
		t.Errorf("a cluster is 7 processes, these run: %v", running)
	}
	must(t, parent.Process.Kill())
	_ = parent.Wait()
	until(t, "its processes to be gone", func() bool { return len(living(t, dir)) == 0 })
}

func until(t *testing.T, what string, holds func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !holds() {
		select {
		case <-ctx.Done():
			t.Fatalf("waited a minute for %s", what)
		case <-tick.C:
		}
	}
}

// TestRoleIsDocumented compares what ferry may do here with what the operator's page tells people to allow.
func TestRoleIsDocumented(t *testing.T) {
	page, err := os.ReadFile("../docs/operation.md")
	must(t, err)
	documented := ""
	for _, block := range strings.Split(string(page), "```")[1:] {
		if yaml, ok := strings.CutPrefix(block, "yaml\n"); ok && strings.Contains(yaml, "kind: ClusterRole\n") {
			documented = yaml
		}
	}
	want, have := ferryRules(t, documented), ferryRules(t, testbed.Base())
	if !reflect.DeepEqual(want, have) {
		t.Errorf("docs/operation.md allows\n%v\nthe testbed allows\n%v", want, have)
	}
}

// ferryRules are the rules of the ClusterRole called ferry.
func ferryRules(t *testing.T, manifests string) []rbacv1.PolicyRule {
	t.Helper()
	for _, one := range strings.Split(manifests, "\n---\n") {
		var role rbacv1.ClusterRole
		must(t, yaml.Unmarshal([]byte(one), &role))
		if role.Kind == "ClusterRole" && role.Name == "ferry" {
			return role.Rules
		}
	}
	t.Fatal("there is no ClusterRole ferry")
	return nil
}
