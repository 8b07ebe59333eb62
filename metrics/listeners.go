package metrics

import (
	"strings"
	"sync"
	"time"

	"ringo"
	"ringo/sock"
)

// listenersMax bounds the sets of labels of listeners. A new listener beyond that counts under the address "other",
// together with others.
const listenersMax = 200

// listenerLabels are the values of the labels run, loop, network and address.
type listenerLabels [4]string

// listenerSet is the listeners with the same labels: usually one, but some share an address, or the address "other". It
// lasts as long as one of them is open, and keeps what the closed ones have counted, so that its counters don't go
// down.
type listenerSet struct {
	labels listenerLabels
	begun  time.Time // when listeners were last asked before the first of them was made
	open   int
	past   sock.ListenerStats // what the closed ones have counted
}

// listenerSets are the listeners that were seen, each with its labels, which it keeps.
var listenerSets = listenerBook{
	of:   map[*sock.Listener]*listenerSet{},
	sets: map[listenerLabels]*listenerSet{},
	seen: begun,
}

type listenerBook struct {
	sync.Mutex
	of   map[*sock.Listener]*listenerSet
	sets map[listenerLabels]*listenerSet
	seen time.Time // when ask was last called
}

// listenerSample is what the listeners of a set have counted.
type listenerSample struct {
	labels listenerLabels
	begun  time.Time
	stats  sock.ListenerStats
}

// ask returns the counts of all open listeners, by their labels. Calls come one after the other: a listener that one
// call has seen closed is not open for a later call.
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

// forget moves closed listeners out of their sets, and what they have counted into past.
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

// add puts a listener into the set with its labels, which it makes if there is none.
func (b *listenerBook) add(ln *sock.Listener, place [2]string) *listenerSet {
	addr := ln.Addr()
	// A Unix socket's name may be any bytes. Because of one label that is not UTF-8, Prometheus would reject the whole
	// answer, and its client library panics.
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

// addListener adds the counts of a listener to a sum.
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
