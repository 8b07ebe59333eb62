package dashtest

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"ringo/metrics"
)

// target lists the labels that Prometheus adds to every series that it scrapes.
var target = []string{"job", "instance"}

// others maps the metrics that are not Ringo's to their labels, without those in target. They are those of
// client_golang's collectors for Go and for the process, and Prometheus' own.
var others = map[string][]string{
	"go_goroutines":                     nil,
	"go_threads":                        nil,
	"go_sched_gomaxprocs_threads":       nil,
	"go_sched_latencies_seconds_bucket": {"le"},
	"go_gc_duration_seconds":            {"quantile"},
	"go_gc_duration_seconds_count":      nil,
	"go_memstats_heap_alloc_bytes":      nil,
	"go_memstats_heap_inuse_bytes":      nil,
	"go_memstats_next_gc_bytes":         nil,
	"go_memstats_mallocs_total":         nil,
	"go_memstats_stack_inuse_bytes":     nil,
	"process_cpu_seconds_total":         nil,
	"process_max_fds":                   nil,
	"process_open_fds":                  nil,
	"process_resident_memory_bytes":     nil,
	"process_start_time_seconds":        nil,
	"up":                                nil,
}

// A series is what is known about a name.
type series struct {
	metric *metrics.Metric // nil for metrics in others
	labels []string
	counts bool // it is a counter, or a part of a histogram
}

var counting = regexp.MustCompile(`_(total|count|bucket)$`)

// known has the series by the names that expressions use for them.
var known = knownSeries()

func knownSeries() map[string]series {
	all := map[string]series{}
	for name, labels := range others {
		all[name] = series{nil, append(labels, target...), counting.MatchString(name)}
	}
	for _, m := range metrics.All() {
		labels := append(slices.Clone(target), m.Labels...)
		if m.Kind != metrics.Histogram {
			all[m.Name] = series{m, labels, m.Kind == metrics.Counter}
			continue
		}
		all[m.Name+"_sum"] = series{m, labels, true}
		all[m.Name+"_count"] = series{m, labels, true}
		all[m.Name+"_bucket"] = series{m, append(labels, "le"), true}
	}
	return all
}

// Check returns what is wrong with a query, as far as its names show that.
func Check(q Query) (faults []string) {
	wrong := func(format string, args ...any) {
		faults = append(faults, fmt.Sprintf("%s: %s, in %s", q.At, fmt.Sprintf(format, args...), q.Expr))
	}
	e, err := parse(q.Expr)
	if err != nil {
		wrong("%v", err)
		return faults
	}
	var labels []string
	for _, u := range e.uses {
		s, ok := known[u.name]
		if !ok {
			wrong("%s is no metric", u.name)
			continue
		}
		labels = append(labels, s.labels...)
		for _, name := range u.matchers {
			if !slices.Contains(s.labels, name) {
				wrong("%s has no label %s, but %s", u.name, name, strings.Join(s.labels, ", "))
			}
		}
		if s.counts != u.rated {
			wrong("%s is a counter: %v, in rate: %v", u.name, s.counts, u.rated)
		}
		if q.Picked && (!slices.Contains(u.matchers, "job") || !slices.Contains(u.matchers, "instance")) {
			wrong("%s is not that of $job and $instance", u.name)
		}
	}
	for _, name := range append(e.labels, q.Shown...) {
		if !slices.Contains(labels, name) {
			wrong("no metric has the label %s", name)
		}
	}
	return faults
}

// Missing returns the names of Ringo's metrics that no query uses.
func Missing(queries []Query) (names []string) {
	missing := map[string]bool{}
	for _, m := range metrics.All() {
		missing[m.Name] = true
	}
	for _, q := range queries {
		e, err := parse(q.Expr)
		if err != nil {
			continue // Check reports it
		}
		for _, u := range e.uses {
			if m := known[u.name].metric; m != nil {
				delete(missing, m.Name)
			}
		}
	}
	return slices.Sorted(maps.Keys(missing))
}
