package proxy

import (
	"fmt"
	"io"
	"time"

	"ringo/metrics"
	"ringo/stats"
)

// series writes the proxy's own metrics, after those of the loops. Each upstream has the same ones, so their number is
// bounded by the number of -to.
type series struct {
	metrics.Text
	r *relay
}

// writeMetrics writes all of the proxy's metrics.
func (r *relay) writeMetrics(w io.Writer) {
	s := &series{r: r}
	if r.o.http {
		s.answers()
	}
	s.eachUpstream("connections_total", metrics.Counter, "Connections to an upstream that were opened for clients.",
		func(_ *upstream, f *figures) float64 { return float64(f.conns) })
	s.failures()
	s.eachUpstream("up", metrics.Gauge, "1 if the upstream is in, 0 if it is out.",
		func(u *upstream, _ *figures) float64 { return float64(u.of.isIn(u)) })
	s.eachUpstream("in_flight", metrics.Gauge, "Requests, or connections, that the upstream has.",
		func(u *upstream, _ *figures) float64 { return float64(u.of.connsOf(u)) })
	s.eachUpstream("received_bytes_total", metrics.Counter, "Bytes that clients have sent, when they have ended.",
		func(_ *upstream, f *figures) float64 { return float64(f.in) })
	s.eachUpstream("sent_bytes_total", metrics.Counter, "Bytes that clients were sent, when they have ended.",
		func(_ *upstream, f *figures) float64 { return float64(f.out) })
	if r.o.http {
		s.histogram("first_byte_seconds", "Times from a request to the first byte of its answer.",
			func(f *figures) *stats.Histogram { return &f.began })
	}
	s.histogram("duration_seconds", "Durations of requests, or of connections.",
		func(f *figures) *stats.Histogram { return &f.lasted })
	s.one("retries_total", metrics.Counter, "Upstreams that were tried after others.", r.keeps.retries.Load())
	s.one("idled_total", metrics.Counter, "Connections, or requests, that -idle has ended.", r.idled.Load())
	s.one("waiting", metrics.Gauge, "Connections that wait for -max, and those, or requests, for an upstream's max.",
		r.waiting.Load())
	if r.keeps.log != nil {
		s.one("log_dropped_lines_total", metrics.Counter, "Lines of -log that were dropped.", r.keeps.log.LeftOut())
	}
	s.WriteTo(w)
}

// metric returns the description of a metric of the proxy.
func metric(name string, kind metrics.Kind, help string, labels ...string) *metrics.Metric {
	return &metrics.Metric{Name: "ringo_proxy_" + name, Help: help, Kind: kind, Labels: labels}
}

// one writes a metric without labels.
func (s *series) one(name string, kind metrics.Kind, help string, n int64) {
	s.Value(metric(name, kind, help), float64(n))
}

// eachUpstream writes a metric with one value per upstream.
func (s *series) eachUpstream(name string, kind metrics.Kind, help string, of func(*upstream, *figures) float64) {
	m := metric(name, kind, help, "upstream")
	for _, u := range s.r.to.all {
		f := u.counts.now()
		s.Value(m, of(u, &f), u.name)
	}
}

// answers writes the counts of answers by class, per upstream; under the name "" those of requests for which no
// upstream was asked.
func (s *series) answers() {
	m := metric("requests_total", metrics.Counter, "Requests that were answered, by what the client got.", "class",
		"upstream")
	write := func(name string, t *tally) {
		for i, n := range t.now().answers {
			s.Value(m, float64(n), fmt.Sprintf("%dxx", i+1), name)
		}
	}
	write("", &s.r.keeps.nobodys)
	for _, u := range s.r.to.all {
		write(u.name, &u.counts)
	}
}

func (s *series) failures() {
	m := metric("failures_total", metrics.Counter, "What has failed at an upstream: dial, timeout or reset.", "cause",
		"upstream")
	for _, u := range s.r.to.all {
		for why, n := range u.counts.now().failed {
			s.Value(m, float64(n), failure(why).String(), u.name)
		}
	}
}

func (s *series) histogram(name, help string, of func(*figures) *stats.Histogram) {
	m := metric(name, metrics.Histogram, help, "upstream")
	for b := boundFirst; b <= boundLast; b *= 2 {
		m.Bounds = append(m.Bounds, b.Seconds())
	}
	for _, u := range s.r.to.all {
		f := u.counts.now()
		s.Times(m, of(&f), u.name)
	}
}

// The bounds of a histogram's buckets: 33 µs to 69 s.
const (
	boundFirst = time.Duration(1 << 15)
	boundLast  = time.Duration(1 << 36)
)
