package metrics

import (
	"bytes"
	"net/http"
	"slices"
	"strings"
)

// Handler returns a handler that serves all metrics in Prometheus' text format, version 0.0.4, for programs without a
// registry; it needs only the standard library. Use it in an http.Server of package net/http on ordinary goroutines.
func Handler() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
		w.Write(text())
	})
}

func text() []byte {
	var b bytes.Buffer
	var last *Metric
	Each(func(s Sample) {
		m := s.Metric
		if m != last {
			last = m
			b.WriteString("# HELP " + m.Name + " " + m.Help + "\n# TYPE " + m.Name + " " + m.Kind.String() + "\n")
		}
		if m.Kind != Histogram {
			line(&b, m.Name, &s, "", s.Value)
			return
		}
		for i, n := range s.Buckets {
			line(&b, m.Name+"_bucket", &s, number(m.Bounds[i]), float64(n))
		}
		line(&b, m.Name+"_bucket", &s, "+Inf", float64(s.Count))
		line(&b, m.Name+"_sum", &s, "", s.Sum)
		line(&b, m.Name+"_count", &s, "", float64(s.Count))
	})
	return b.Bytes()
}

func line(b *bytes.Buffer, name string, s *Sample, bound string, v float64) {
	b.WriteString(name)
	sep := byte('{')
	label := func(name, value string) {
		b.WriteByte(sep)
		b.WriteString(name + `="` + escape.Replace(value) + `"`)
		sep = ','
	}
	for _, i := range sorted(s.Metric.Labels) {
		label(s.Metric.Labels[i], s.Labels[i])
	}
	if bound != "" {
		label("le", bound)
	}
	b.WriteString("} " + number(v) + "\n")
}

// sorted is the places of names in their order, in which Prometheus writes them.
func sorted(names []string) []int {
	order := make([]int, len(names))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int { return strings.Compare(names[a], names[b]) })
	return order
}

var escape = strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`)
