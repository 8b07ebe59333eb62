package metrics

import (
	"strings"
	"sync"
	"time"

	"ringo"
	"ringo/sock"
)

// listenersMax bounds the sets of labels of listeners: those that were first seen when there were so many count
// together, under the address "other".
const listenersMax = 200

// listenerLabels are those: run, loop, network, address.
type listenerLabels [4]string

// listenerSet is the listeners with the same labels: one as a rule, or some that share their address, or those under
// the address "other". It lasts as long as one of them is open, and what the others have counted stays in it, so that
// its counters don't go down.
type listenerSet struct {
	labels listenerLabels
	begun  time.Time // the first of them was made since then
	open   int
	past   sock.ListenerStats // of those that are closed
}

// listenerSets is which listeners were seen, and under which labels, which they keep.
var listenerSets = listenerBook{
	of:   map[*sock.Listener]*listenerSet{},
	sets: map[listenerLabels]*listenerSet{},
	seen: begun,
}

type listenerBook struct {
	sync.Mutex
	of   map[*sock.Listener]*listenerSet
	sets map[listenerLabels]*listenerSet
	seen time.Time // when somebody looked last
}

// listenerSample is the counts of a set.
type listenerSample struct {
	labels listenerLabels
	begun  time.Time
	stats  sock.ListenerStats
}

// ask gives the counts of all open listeners, by their labels. Those who ask at once are told one after the other: what
// one has seen closed is open for nobody behind it.
func (b *listenerBook) ask(loops []loopSample) (all []listenerSample) {
	b.Lock()
	defer b.Unlock()
	places := make(map[*ringo.Loop][2]string, len(loops))
	for i := range loops {
		if l := &loops[i]; l.Live != nil {
			places[(*ringo.Loop)(l.Live)] = [2]string{l.run, l.index}
		}
	}
	now := time.Now()
	listeners := sock.Listeners()
	b.forget(listeners)
	found := map[*listenerSet]int{}
	for _, ln := range listeners {
		set := b.of[ln]
		if set == nil {
			place, ok := places[ln.Loop()]
			if !ok {
				continue // its loop has begun or ended meanwhile
			}
			set = b.add(ln, place)
		}
		i, ok := found[set]
		if !ok {
			i = len(all)
			found[set] = i
			all = append(all, listenerSample{set.labels, set.begun, set.past})
		}
		addListener(&all[i].stats, ln.Stats())
	}
	b.seen = now
	return all
}

// forget takes the closed ones out of their sets.
func (b *listenerBook) forget(open []*sock.Listener) {
	stays := make(map[*sock.Listener]bool, len(open))
	for _, ln := range open {
		stays[ln] = true
	}
	for ln, set := range b.of {
		if stays[ln] {
			continue
		}
		delete(b.of, ln)
		last := ln.Stats()
		last.Open, last.Ahead, last.Queue, last.QueueMax = 0, 0, -1, -1
		addListener(&set.past, last)
		if set.open--; set.open == 0 {
			delete(b.sets, set.labels)
		}
	}
}

// add puts a listener into the set that it belongs to.
func (b *listenerBook) add(ln *sock.Listener, place [2]string) *listenerSet {
	addr := ln.Addr()
	// A Unix socket's name may be any bytes. One label that is no UTF-8 costs Prometheus the whole answer, and its
	// client library panics.
	labels := listenerLabels{place[0], place[1], addr.Network(), strings.ToValidUTF8(addr.String(), "\uFFFD")}
	set := b.sets[labels]
	if set == nil && len(b.sets) >= listenersMax {
		labels[3] = "other"
		set = b.sets[labels]
	}
	if set == nil {
		set = &listenerSet{labels: labels, begun: b.seen, past: sock.ListenerStats{Queue: -1, QueueMax: -1}}
		b.sets[labels] = set
	}
	set.open++
	b.of[ln] = set
	return set
}

// addListener adds what another has counted.
func addListener(sum *sock.ListenerStats, more sock.ListenerStats) {
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
