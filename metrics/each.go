package metrics

import (
	"strconv"
	"strings"
	"sync"
	"time"

	"ringo"
	"ringo/internal/census"
	"ringo/internal/loop"
	"ringo/sock"
	"ringo/stats"
)

// Each calls f with a sample for each metric and set of labels, those of one metric together, in the order of All.
// Loops that have ended keep their counters and histograms, but have no gauges. A goroutine waits at most some 100 ms
// in all for loops that do not answer; a task parks, for each loop.
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
	listeners := askListeners(loops)
	for i := range ofListeners {
		r := &ofListeners[i]
		p := newPutter(&r.Metric, f)
		for k := range listeners {
			ln := &listeners[k]
			p.first = append(p.first[:0], ln.labels[:]...)
			r.of(&ln.stats, p.put())
		}
	}
}

// loopSample is a loop's counts.
type loopSample struct {
	census.Total
	run, index string
	stats      stats.Loop
}

// askLoops asks all loops, at the same time if the caller is a goroutine, so that many that are held take no longer
// than one.
func askLoops() []loopSample {
	totals := census.Totals()
	all := make([]loopSample, len(totals))
	me, _ := loop.Current()
	var asked sync.WaitGroup
	for i := range all {
		s := &all[i]
		s.Total, s.run, s.index = totals[i], strconv.Itoa(totals[i].Run), strconv.Itoa(totals[i].Index)
		if me != nil {
			s.stats = s.Stats()
			continue
		}
		asked.Go(func() { s.stats = s.Stats() })
	}
	if me == nil {
		asked.Wait()
	}
	return all
}

// listenersMax bounds the sets of labels of listeners: those that were made later than so many that are open count
// together, under the address "other".
const listenersMax = 200

// listenerSample is the counts of the listeners with one set of labels.
type listenerSample struct {
	labels [4]string // run, loop, network, address
	stats  sock.ListenerStats
}

func askListeners(loops []loopSample) (all []listenerSample) {
	places := make(map[*ringo.Loop][2]string, len(loops))
	for i := range loops {
		if l := &loops[i]; l.Live != nil {
			places[(*ringo.Loop)(l.Live)] = [2]string{l.run, l.index}
		}
	}
	found := map[[4]string]int{}
	for _, ln := range sock.Listeners() {
		place, ok := places[ln.Loop()]
		if !ok {
			continue // its loop has begun or ended meanwhile
		}
		addr := ln.Addr()
		// A Unix socket's name may be any bytes. One label that is no UTF-8 costs Prometheus the whole answer, and its
		// client library panics.
		labels := [4]string{place[0], place[1], addr.Network(), strings.ToValidUTF8(addr.String(), "\uFFFD")}
		i, ok := found[labels]
		if !ok && len(all) >= listenersMax {
			labels[3] = "other"
			i, ok = found[labels]
		}
		if !ok {
			found[labels] = len(all)
			all = append(all, listenerSample{labels: labels, stats: ln.Stats()})
			continue
		}
		more, sum := ln.Stats(), &all[i].stats
		sum.Accepted += more.Accepted
		sum.Errors += more.Errors
		sum.Backoffs += more.Backoffs
		sum.Limited += more.Limited
		sum.Refused += more.Refused
		sum.Open += more.Open
		sum.Ahead += more.Ahead
		if more.Queue >= 0 {
			sum.Queue, sum.QueueMax = max(sum.Queue, 0)+more.Queue, max(sum.QueueMax, 0)+more.QueueMax
		}
	}
	return all
}

// putter makes samples of one metric.
type putter struct {
	metric  *Metric
	f       func(Sample)
	first   []string // labels that all of the loop's, lane's or listener's samples have
	labels  []string
	buckets []uint64
}

func newPutter(m *Metric, f func(Sample)) *putter { return &putter{metric: m, f: f} }

func (p *putter) put() put { return put{p.value, p.times} }

func (p *putter) value(v float64, labels ...string) {
	p.labels = append(append(p.labels[:0], p.first...), labels...)
	p.f(Sample{Metric: p.metric, Labels: p.labels, Value: v})
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
	p.f(Sample{Metric: p.metric, Labels: p.labels, Count: h.Count(), Sum: seconds(h.Sum()), Buckets: p.buckets})
}

// begun is when the counts of the process began, nearly.
var begun = time.Now()

// Begun returns when the process began to count.
func Begun() time.Time { return begun }
