package jobs

import (
	"fmt"
	"regexp"
	"strings"

	"ferry/internal/deploy"
)

// cause words what a pod reports: the reason as kubectl shows it, so that it can
// be looked up, and what it means. The kubelet's own words, which bury that, are
// for whoever reads on: raw.
func cause(p deploy.Problem) string {
	var means string
	reason := p.Reason
	switch reason {
	case "ErrImagePull", "ImagePullBackOff", "RegistryUnavailable", "ErrImageNeverPull", "InvalidImageName":
		means = pullFailure(p)
	case "CrashLoopBackOff", "Error", "OOMKilled", "StartError", "ContainerCannotRun", "Completed":
		reason, means = crash(p)
	case "CreateContainerConfigError", "CreateContainerError", "RunContainerError":
		means = fmt.Sprintf("container `%s` cannot be started", p.Container)
		if p.Message != "" {
			means += ": " + clipTo(p.Message, 140)
		}
	case "Unschedulable":
		means = "no node takes the pod"
		if why := refusals(p.Message); why != "" {
			means += ": " + why
		}
	case "Unhealthy":
		means = clipTo(p.Message, 140)
	case deploy.NotReady:
		return fmt.Sprintf("container `%s` runs, but its probes do not pass", p.Container)
	default:
		means = clipTo(p.Message, 140)
	}
	if means == "" {
		return "*" + reason + "*"
	}
	return "*" + reason + "*: " + means
}

// raw is the kubelet's message with where it is from; empty if it said nothing.
func raw(p deploy.Problem) string {
	if p.Message == "" {
		return ""
	}
	where := p.Pod
	if p.Container != "" {
		where += ", container " + p.Container
	}
	return where + ":\n" + clipTo(p.Message, 1000)
}

// pullFailure tells the ways apart in which an image does not come, by the words
// of containerd, CRI-O and the registries. A refusal is looked for first:
// registries answer it for what does not exist as well, and say so.
func pullFailure(p deploy.Problem) string {
	image, said := "the image", strings.ToLower(p.Message)
	if p.Image != "" {
		image = "`" + p.Image + "`"
	}
	has := func(words ...string) bool {
		for _, w := range words {
			if strings.Contains(said, w) {
				return true
			}
		}
		return false
	}
	switch {
	case p.Reason == "InvalidImageName":
		return image + " is not the name of an image"
	case p.Reason == "ErrImageNeverPull":
		return image + " is not on the node, and its imagePullPolicy is Never"
	case has("toomanyrequests", "429 too many", "rate limit"):
		return "the registry limits how often " + image + " may be pulled"
	case has("pull access denied", "insufficient_scope", "authorization failed", "unauthorized", "authentication required", "403 forbidden", "denied:"):
		return "the registry did not give out " + image + ": it does not exist there, or the cluster may not pull it"
	case has("no match for platform", "no matching manifest"):
		return image + " is not made for the platform of the node"
	case has("not found", "notfound", "manifest unknown", "name unknown"):
		return image + " was not found"
	case has("i/o timeout", "deadline exceeded", "client.timeout", "handshake timeout"):
		return "the registry did not answer in time for " + image
	case has("no such host"):
		if m := lookup.FindStringSubmatch(said); m != nil {
			return "there is no registry `" + m[1] + "`: no such host"
		}
		return "the registry of " + image + " has no address"
	case has("connection refused", "connection reset", "network is unreachable", "no route to host"):
		return "the registry of " + image + " cannot be reached"
	case has("x509:", "http: server gave http response"):
		return "the node does not trust the registry of " + image
	case has("no space left", "disk pressure"):
		return "the node has no room left for " + image
	}
	return image + " could not be pulled"
}

// exitCode and lookup find the number of a container's end, and the name that a
// node's resolver does not know.
var (
	exitCode = regexp.MustCompile(`exit code (\d+)`)
	lookup   = regexp.MustCompile(`lookup ([a-z0-9.-]+)`)
)

// crash words a container that ended. Being killed for its memory is the cause
// even where the reason is only that it is not started again at once.
func crash(p deploy.Problem) (reason, means string) {
	name := "the container"
	if p.Container != "" {
		name = "container `" + p.Container + "`"
	}
	again := ""
	if p.Reason == "CrashLoopBackOff" {
		again = " again and again"
	}
	if p.Reason == "OOMKilled" || strings.Contains(p.Message, "OOMKilled") {
		return "OOMKilled", name + " needs more memory than its limit and is killed" + again
	}
	m := exitCode.FindStringSubmatch(p.Message)
	if m == nil {
		return p.Reason, name + " ends" + again
	}
	means = fmt.Sprintf("%s ends%s with exit code %s", name, again, m[1])
	if hint := exitHint(m[1]); hint != "" {
		means += " (" + hint + ")"
	}
	return p.Reason, means
}

// exitHint is what a shell or kernel means by an exit code.
func exitHint(code string) string {
	switch code {
	case "126":
		return "its command may not be executed"
	case "127":
		return "its command was not found"
	case "137":
		return "killed, as a liveness probe does that fails"
	case "139":
		return "segmentation fault"
	case "143":
		return "told to stop, as a liveness probe does that fails"
	}
	return ""
}

// refusals keeps of the scheduler's message why each kind of node was refused.
func refusals(message string) string {
	if i := strings.Index(strings.ToLower(message), "preemption:"); i >= 0 {
		message = message[:i]
	}
	if _, why, ok := strings.Cut(message, "nodes are available: "); ok {
		message = why
	}
	return clipTo(strings.TrimRight(strings.TrimSpace(message), "."), 140)
}
