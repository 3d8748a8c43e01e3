package jobs

import (
	"strings"
	"testing"

	"ferry/internal/deploy"
)

// TestCausesComeFirstAndInWords has messages as kubelets, registries and the
// scheduler write them.
func TestCausesComeFirstAndInWords(t *testing.T) {
	t.Parallel()
	const image = "ghcr.io/acme/web:6.5.5"
	pull := func(reason, message string) deploy.Problem {
		return deploy.Problem{Pod: "web-1", Container: "web", Image: image, Reason: reason, Message: message}
	}
	backOff := func(cause string) deploy.Problem {
		return pull("ImagePullBackOff", `Back-off pulling image "`+image+`": ErrImagePull: `+cause)
	}
	ended := func(reason, message string) deploy.Problem {
		return deploy.Problem{Pod: "web-1", Container: "web", Reason: reason, Message: message}
	}
	for want, p := range map[string]deploy.Problem{
		"*ImagePullBackOff*: `" + image + "` was not found": backOff(`rpc error: code = NotFound desc = failed to pull and unpack image "` + image + `": failed to resolve reference "` + image + `": ` + image + `: not found`),
		"*ErrImagePull*: `" + image + "` was not found":     pull("ErrImagePull", "reading manifest 6.5.5 in ghcr.io/acme/web: manifest unknown"),
		"*ImagePullBackOff*: the registry did not give out `" + image + "`: it does not exist there, or the cluster may not pull it": backOff(
			`failed to pull and unpack image: failed to resolve reference: pull access denied, repository does not exist or may require authorization: server message: insufficient_scope: authorization failed`),
		"*ErrImagePull*: the registry did not give out `" + image + "`: it does not exist there, or the cluster may not pull it": pull("ErrImagePull",
			`failed to authorize: failed to fetch anonymous token: unexpected status from GET request to https://ghcr.io/token: 401 Unauthorized`),
		"*ErrImagePull*: the registry did not answer in time for `" + image + "`": pull("ErrImagePull",
			`failed to do request: Head "https://ghcr.io/v2/acme/web/manifests/6.5.5": dial tcp 140.82.121.33:443: i/o timeout`),
		"*ErrImagePull*: there is no registry `registry.acme.test`: no such host": pull("ErrImagePull",
			`failed to do request: Head "https://registry.acme.test/v2/web/manifests/6.5.5": dial tcp: lookup registry.acme.test on 10.0.0.10:53: no such host`),
		"*ErrImagePull*: the registry of `" + image + "` cannot be reached":            pull("ErrImagePull", `dial tcp 10.1.2.3:5000: connect: connection refused`),
		"*ErrImagePull*: the registry limits how often `" + image + "` may be pulled":  pull("ErrImagePull", `429 Too Many Requests - Server message: toomanyrequests: You have reached your pull rate limit.`),
		"*ErrImagePull*: the node does not trust the registry of `" + image + "`":      pull("ErrImagePull", `tls: failed to verify certificate: x509: certificate signed by unknown authority`),
		"*ErrImagePull*: `" + image + "` is not made for the platform of the node":     pull("ErrImagePull", `no match for platform in manifest: not found`),
		"*ImagePullBackOff*: `" + image + "` could not be pulled":                      pull("ImagePullBackOff", `Back-off pulling image "`+image+`"`),
		"*InvalidImageName*: `" + image + "` is not the name of an image":              pull("InvalidImageName", `couldn't parse image reference`),
		"*CrashLoopBackOff*: container `web` ends again and again with exit code 1":    ended("CrashLoopBackOff", "back-off 40s restarting failed container=web pod=web-1_apps(0af): Error: exit code 1"),
		"*CrashLoopBackOff*: container `web` ends again and again":                     ended("CrashLoopBackOff", "back-off 10s restarting failed container=web pod=web-1_apps(0af)"),
		"*Error*: container `web` ends with exit code 127 (its command was not found)": ended("Error", "exit code 127: sh: serve: not found"),
		"*OOMKilled*: container `web` needs more memory than its limit and is killed":  ended("OOMKilled", "exit code 137"),
		"*OOMKilled*: container `web` needs more memory than its limit and is killed again and again": ended("CrashLoopBackOff",
			"back-off 5m0s restarting failed container=web pod=web-1_apps(0af): OOMKilled: exit code 137"),
		"*CrashLoopBackOff*: container `web` ends again and again with exit code 137 (killed, as a liveness probe does that fails)": ended("CrashLoopBackOff", "back-off 20s: Error: exit code 137"),
		"*CreateContainerConfigError*: container `web` cannot be started: secret \"web\" not found":                                 ended("CreateContainerConfigError", `secret "web" not found`),
		"*Unschedulable*: no node takes the pod: 2 Insufficient cpu, 1 node(s) had untolerated taint {a: b}": {
			Pod: "web-1", Reason: "Unschedulable",
			Message: "0/3 nodes are available: 2 Insufficient cpu, 1 node(s) had untolerated taint {a: b}. preemption: 0/3 nodes are available: 3 No preemption victims found for incoming pod.",
		},
		"*Unhealthy*: Readiness probe failed: HTTP probe failed with statuscode: 500": ended("Unhealthy", "Readiness probe failed: HTTP probe failed with statuscode: 500"),
		"container `web` runs, but its probes do not pass":                            ended(deploy.NotReady, ""),
		"*Evicted*: The node was low on resource: memory":                             {Pod: "web-1", Reason: "Evicted", Message: "The node was low on resource: memory"},
		"*SomethingNew*": {Pod: "web-1", Reason: "SomethingNew"},
	} {
		if got := cause(p); got != want {
			t.Errorf("%s %q\nreads %s\nwant  %s", p.Reason, p.Message, got, want)
		}
	}
}

func TestTheCommitIsNotNamedTwice(t *testing.T) {
	t.Parallel()
	ours := deploy.Commit{SHA: "c0ffee0011223344"}
	for revision, want := range map[string]string{
		"main@sha1:c0ffee0011223344": "it",
		"main@sha1:0123456789abcdef": "`main@0123456`",
		"0123456789abcdef":           "`0123456`",
		"c0ffee0011223344":           "it",
	} {
		if got := applied(revision, ours); got != want {
			t.Errorf("Flux applied %s, want %s of %s", got, want, revision)
		}
	}
}

func TestTheKubeletsOwnWordsStandBelow(t *testing.T) {
	t.Parallel()
	p := deploy.Problem{Pod: "web-1", Container: "web", Reason: "Error", Message: "exit code 2:\n  panic"}
	if got, want := raw(p), "web-1, container web:\nexit code 2: panic"; got != want {
		t.Errorf("raw is %q, want %q", got, want)
	}
	if got := raw(deploy.Problem{Pod: "web-1", Reason: "X"}); got != "" {
		t.Errorf("without words it is %q", got)
	}
}

func TestTextsAreCutAtAWord(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"one two three":             "one two three",
		"one two three four":        "one two three…",
		"one two threefour":         "one two…",
		"one two, threefour":        "one two…",
		"onetwothreefourfive":       "onetwothreefo…",
		"ä ö ü ä ö ü ä ö ü":         "ä ö ü ä ö ü ä…",
		" one \n two\tthree ":       "one two three",
		"one two three " + "\u00a0": "one two three",
	} {
		if got := clipTo(in, 13); got != want {
			t.Errorf("%q is cut to %q, want %q", in, got, want)
		}
	}
	long := judgement{reason: "it fails"}.quoting(strings.Repeat("word ", 100))
	if !strings.HasSuffix(long.reason, " word…") || len(long.reason) > 160 || len(long.raw) != 499 {
		t.Errorf("reason %q, below %q", long.reason, long.raw)
	}
	if short := (judgement{reason: "it fails"}).quoting("auth"); short.reason != "it fails: auth" || short.raw != "" {
		t.Errorf("reason %q, below %q", short.reason, short.raw)
	}
}
