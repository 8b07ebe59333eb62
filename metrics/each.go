package metrics

import (
	"strconv"
	"time"

	"ringo/internal/census"
	"ringo/stats"
)

// Each calls f with a sample for each metric and set of labels. The samples of one metric come together, in the order
// of All. Loops that have ended keep their counters and histograms, but have no gauges. A goroutine waits at most some
// 100 ms in all for loops that do not answer; a task parks, for each loop.
func Each(f func(Sample)) {
	loops := askLoops()
	for i := range ofLoops {
		r := &ofLoops[i]
		p := newPutter(&r.Metric, f)
		for k := range loops {
			l := &loops[k]
			p.first = append(p.first[:0], l.run, l.index)
			switch {
			case r.Kind == Gauge && l.Live == nil:
			case r.of != nil:
				r.of(&l.stats, p.put())
			case r.Name == "ringo_driver_entries":
				p.value(float64(l.Live.Info().Entries))
			default:
				p.value(1, l.Live.Info().Name)
			}
		}
	}
	runs := census.LaneTotals()
	for i := range ofLanes {
		r := &ofLanes[i]
		p := newPutter(&r.Metric, f)
		for n, lanes := range runs {
			for k := range lanes {
				lane := &lanes[k]
				if r.Kind == Gauge && lane.Max == 0 { // the Run has ended
					continue
				}
				p.first = append(p.first[:0], strconv.Itoa(n), lane.Name)
				r.of(lane, p.put())
			}
		}
	}
	listeners := listenerSets.ask(loops)
	for i := range ofListeners {
		r := &ofListeners[i]
		p := newPutter(&r.Metric, f)
		for k := range listeners {
			ln := &listeners[k]
			p.first, p.begun = append(p.first[:0], ln.labels[:]...), ln.begun
			r.of(&ln.stats, p.put())
		}
	}
}

// loopSample is what a loop has counted.
type loopSample struct {
	census.Total
	run, index string
	stats      stats.Loop
}

func askLoops() []loopSample {
	totals := census.Totals()
	return census.AskEach(len(totals), func(i int) loopSample {
		t := totals[i]
		return loopSample{t, strconv.Itoa(t.Run), strconv.Itoa(t.Index), t.Stats()}
	})
}

// putter makes the samples of one metric, and calls f with each.
type putter struct {
	metric  *Metric
	f       func(Sample)
	first   []string // labels that all of the loop's, lane's or listener's samples have
	begun   time.Time
	labels  []string
	buckets []uint64
}

func newPutter(m *Metric, f func(Sample)) *putter { return &putter{metric: m, f: f, begun: begun} }

func (p *putter) put() put { return put{p.value, p.times} }

func (p *putter) value(v float64, labels ...string) {
	p.labels = append(append(p.labels[:0], p.first...), labels...)
	p.f(Sample{Metric: p.metric, Labels: p.labels, Begun: p.begun, Value: v})
}

func (p *putter) times(h *stats.Histogram, labels ...string) {
	p.labels = append(append(p.labels[:0], p.first...), labels...)
	p.buckets = p.buckets[:0]
	var n uint64
	at := 0
	for bound, count := range h.All() {
		if bound == 0 {
			break
		}
		n += count
		if at < len(p.metric.Bounds) && bound.Seconds() >= p.metric.Bounds[at] {
			p.buckets = append(p.buckets, n)
			at++
		}
	}
	p.f(Sample{Metric: p.metric, Labels: p.labels, Begun: p.begun, Count: h.Count(), Sum: seconds(h.Sum()),
		Buckets: p.buckets})
}

// begun is about when the process began to count.
var begun = time.Now()

// Begun returns when the process began to count.
func Begun() time.Time { return begun }
