package k8s

import (
	"log/slog"
	"time"

	"ferry/internal/deploy"
)

// Member is one cluster of the fleet and the way to it.
type Member struct {
	Name       deploy.Cluster
	Kubeconfig string // path
	// Context names a context of the kubeconfig; empty takes the one called
	// like the cluster, else the current one.
	Context string
}

// Options describe a fleet. Times have defaults.
type Options struct {
	Clusters []Member
	// Namespaces are where apps are looked for; none means all.
	Namespaces []string
	// AllowSame permits two clusters that are one API server.
	AllowSame bool
	Log       *slog.Logger
	Now       func() time.Time

	// Answer is how long any request but a watch may take to be answered (3 s
	// for probes, three times as long for lists).
	Answer time.Duration
	// Probe is how long a cluster may be silent before it is asked whether it
	// is there (5 s).
	Probe time.Duration
	// Rediscover bounds the pause between looks for kinds that were not served
	// or not allowed (1 min).
	Rediscover time.Duration
	// RetryMin and RetryMax bound the pause before a cluster is tried again
	// (0.5 s, 30 s).
	RetryMin, RetryMax time.Duration
}

func (o Options) withDefaults() Options {
	orElse := func(d *time.Duration, value time.Duration) {
		if *d <= 0 {
			*d = value
		}
	}
	orElse(&o.Answer, 3*time.Second)
	orElse(&o.Probe, 5*time.Second)
	orElse(&o.Rediscover, time.Minute)
	orElse(&o.RetryMin, 500*time.Millisecond)
	orElse(&o.RetryMax, 30*time.Second)
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return o
}
