package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"ferry/internal/deploy"
	"ferry/internal/job"
)

// metrics are ferry's own numbers; names follow Prometheus' conventions.
type metrics struct {
	registry *prometheus.Registry
	jobs     *prometheus.CounterVec
	undone   *prometheus.CounterVec
	duration *prometheus.HistogramVec
	requests *prometheus.CounterVec
	chats    *prometheus.CounterVec
	calls    *prometheus.HistogramVec
}

func newMetrics(clusters func() []deploy.ClusterState) *metrics {
	m := &metrics{
		registry: prometheus.NewRegistry(),
		jobs: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "ferry_jobs_ended_total", Help: "Jobs that ended, by command and outcome.",
		}, []string{"command", "outcome"}),
		undone: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "ferry_jobs_rolled_back_total", Help: "Jobs whose change ferry took back by itself after they had ended, by command.",
		}, []string{"command"}),
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "ferry_job_duration_seconds", Help: "Time from a job's request to its outcome.",
			Buckets: []float64{0.1, 0.3, 1, 3, 10, 30, 100, 300, 1000},
		}, []string{"command"}),
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "ferry_github_requests_total", Help: "Requests to GitHub, by status; 304 is free.",
		}, []string{"status"}),
		chats: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "ferry_slack_total", Help: "What happened between Slack and ferry, by kind and success.",
		}, []string{"what", "ok"}),
		calls: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "ferry_slack_duration_seconds", Help: "How long it took, by kind.",
			Buckets: []float64{0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3, 10},
		}, []string{"what"}),
	}
	m.registry.MustRegister(m.jobs, m.undone, m.duration, m.requests, m.chats, m.calls, fleetCollector{clusters}, collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

func (m *metrics) ended(j *job.Job) {
	m.jobs.WithLabelValues(j.Verb, string(j.Outcome)).Inc()
	m.duration.WithLabelValues(j.Verb).Observe(j.Updated.Sub(j.Created).Seconds())
}

// rolledBack counts a job whose change was taken back after it had ended.
func (m *metrics) rolledBack(j *job.Job) { m.undone.WithLabelValues(j.Verb).Inc() }

// slack counts what the bot tells of itself.
func (m *metrics) slack(what string, took time.Duration, err error) {
	m.chats.WithLabelValues(what, strconv.FormatBool(err == nil)).Inc()
	m.calls.WithLabelValues(what).Observe(took.Seconds())
}

// fleetCollector reads the fleet when it is asked, so that nothing has to be
// kept up to date.
type fleetCollector struct{ clusters func() []deploy.ClusterState }

func staleDesc() *prometheus.Desc {
	return prometheus.NewDesc("ferry_cluster_stale", "1 while what is known of the cluster may be out of date.", []string{"cluster"}, nil)
}

// Describe implements prometheus.Collector.
func (fleetCollector) Describe(ch chan<- *prometheus.Desc) { ch <- staleDesc() }

// Collect implements prometheus.Collector.
func (c fleetCollector) Collect(ch chan<- prometheus.Metric) {
	desc := staleDesc()
	for _, s := range c.clusters() {
		v := 0.0
		if s.Stale {
			v = 1
		}
		ch <- prometheus.MustNewConstMetric(desc, prometheus.GaugeValue, v, string(s.Name))
	}
}

// probe answers whether something ferry cannot do without is there.
type probe struct {
	name  string
	check func() error
}

// web serves /metrics, /healthz and /readyz. Healthy means that the process
// answers; ready that it can take a command. A cluster that does not answer
// makes neither fail: the others are served, and it says so itself.
type web struct {
	listener net.Listener
	mux      *http.ServeMux
	server   *http.Server
	log      *slog.Logger
}

// listen binds the address, so that a port that is taken is an error at start.
func listen(ctx context.Context, address string, m *metrics, probes []probe, clusters func() []deploy.ClusterState, log *slog.Logger) (*web, error) {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("listen on http.address %s: %w", address, err)
	}
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{}))
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { writeReport(w, log, report{OK: true}) })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) { writeReport(w, log, ready(probes, clusters())) })
	return &web{listener: l, log: log, mux: mux, server: &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second}}, nil
}

// report is what /healthz and /readyz answer.
type report struct {
	OK       bool              `json:"ok"`
	Failing  map[string]string `json:"failing,omitempty"`
	Clusters map[string]string `json:"clusters,omitempty"`
}

func ready(probes []probe, clusters []deploy.ClusterState) report {
	r := report{OK: true, Failing: map[string]string{}, Clusters: map[string]string{}}
	for _, p := range probes {
		if err := p.check(); err != nil {
			r.OK, r.Failing[p.name] = false, err.Error()
		}
	}
	for _, c := range clusters {
		r.Clusters[string(c.Name)] = "fresh"
		if c.Stale {
			r.Clusters[string(c.Name)] = "stale: " + c.Reason
		}
	}
	return r
}

func writeReport(w http.ResponseWriter, log *slog.Logger, r report) {
	w.Header().Set("Content-Type", "application/json")
	if !r.OK {
		w.WriteHeader(http.StatusServiceUnavailable)
	}
	if err := json.NewEncoder(w).Encode(r); err != nil {
		log.Debug("report was not read", "error", err)
	}
}

// run serves until ctx ends.
func (s *web) run(ctx context.Context) error {
	stop := context.AfterFunc(ctx, func() {
		if err := s.server.Close(); err != nil {
			s.log.Warn("close of the web server", "error", err)
		}
	})
	defer stop()
	if err := s.server.Serve(s.listener); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve on %s: %w", s.listener.Addr(), err)
	}
	return nil
}
