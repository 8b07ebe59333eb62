package proxy

import (
	"bytes"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"ringo/stats"
)

// series writes the proxy's own metrics, as package metrics writes the loops': for each upstream as many as for any
// other, so their number is bounded by that of -to.
type series struct {
	bytes.Buffer
	r    *relay
	name string // of the metric that is written
}

// writeMetrics writes all of them.
func (r *relay) writeMetrics(w io.Writer) {
	s := &series{r: r}
	if r.o.http {
		s.answers()
	}
	s.eachUpstream("connections_total", "counter", "Connections to an upstream that were opened for clients.",
		func(_ *upstream, f *figures) float64 { return float64(f.conns) })
	s.failures()
	s.eachUpstream("up", "gauge", "1 if the upstream is in, 0 if it is out.",
		func(u *upstream, _ *figures) float64 { return float64(r.to.isIn(u)) })
	s.eachUpstream("in_flight", "gauge", "Requests, or connections, that the upstream has.",
		func(u *upstream, _ *figures) float64 { return float64(r.to.connsOf(u)) })
	s.eachUpstream("received_bytes_total", "counter", "Bytes that clients have sent, when they have ended.",
		func(_ *upstream, f *figures) float64 { return float64(f.in) })
	s.eachUpstream("sent_bytes_total", "counter", "Bytes that clients were sent, when they have ended.",
		func(_ *upstream, f *figures) float64 { return float64(f.out) })
	if r.o.http {
		s.histogram("first_byte_seconds", "Times from a request to the first byte of its answer.",
			func(f *figures) *stats.Histogram { return &f.began })
	}
	s.histogram("duration_seconds", "Durations of requests, or of connections.",
		func(f *figures) *stats.Histogram { return &f.lasted })
	s.one("retries_total", "counter", "Upstreams that were tried after others.", float64(r.keeps.retries.Load()))
	s.one("idled_total", "counter", "Connections that -idle has ended.", float64(r.idled.Load()))
	s.one("waiting", "gauge", "Connections that are accepted and wait for -max.", float64(r.waiting.Load()))
	if r.keeps.log != nil {
		s.one("log_dropped_lines_total", "counter", "Lines of -log that were dropped.", float64(r.keeps.log.LeftOut()))
	}
	w.Write(s.Bytes())
}

// begin begins a metric.
func (s *series) begin(name, kind, help string) {
	s.name = "ringo_proxy_" + name
	fmt.Fprintf(s, "# HELP %s %s\n# TYPE %s %s\n", s.name, help, s.name, kind)
}

// value writes a value of it, with labels that are text already.
func (s *series) value(suffix, labels string, v float64) {
	s.WriteString(s.name + suffix)
	if labels != "" {
		s.WriteString("{" + labels + "}")
	}
	s.WriteString(" " + strconv.FormatFloat(v, 'g', -1, 64) + "\n")
}

var escape = strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`)

func label(name, value string) string { return name + `="` + escape.Replace(value) + `"` }

// one writes a metric of one value.
func (s *series) one(name, kind, help string, v float64) {
	s.begin(name, kind, help)
	s.value("", "", v)
}

// eachUpstream writes a metric of one value for each.
func (s *series) eachUpstream(name, kind, help string, of func(*upstream, *figures) float64) {
	s.begin(name, kind, help)
	for _, u := range s.r.to.all {
		f := u.counts.now()
		s.value("", label("upstream", u.name), of(u, &f))
	}
}

// answers writes those of all upstreams, and of the proxy itself where none was asked.
func (s *series) answers() {
	s.begin("requests_total", "counter", "Requests that were answered, by what the client got.")
	write := func(name string, t *tally) {
		for i, n := range t.now().answers {
			s.value("", fmt.Sprintf(`class="%dxx",%s`, i+1, label("upstream", name)), float64(n))
		}
	}
	write("", &s.r.keeps.nobodys)
	for _, u := range s.r.to.all {
		write(u.name, &u.counts)
	}
}

func (s *series) failures() {
	s.begin("failures_total", "counter", "What has failed at an upstream: dial, timeout or reset.")
	for _, u := range s.r.to.all {
		for why, n := range u.counts.now().failed {
			s.value("", label("cause", failure(why).String())+","+label("upstream", u.name), float64(n))
		}
	}
}

func (s *series) histogram(name, help string, of func(*figures) *stats.Histogram) {
	s.begin(name, "histogram", help)
	for _, u := range s.r.to.all {
		f, at := u.counts.now(), label("upstream", u.name)
		h := of(&f)
		bucketsOf(h, func(bound time.Duration, below uint64) {
			le := label("le", strconv.FormatFloat(bound.Seconds(), 'g', -1, 64))
			s.value("_bucket", le+","+at, float64(below))
		})
		s.value("_bucket", label("le", "+Inf")+","+at, float64(h.Count()))
		s.value("_sum", at, h.Sum().Seconds())
		s.value("_count", at, float64(h.Count()))
	}
}
