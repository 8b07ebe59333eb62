//go:build linux

package sim

import (
	"time"

	"ringo/internal/memkernel"
)

// Link is what lies between two hosts, one way.
type Link struct {
	Latency   time.Duration // of each packet
	Jitter    time.Duration // more than that, up to this, by chance
	Bandwidth int64         // bytes a second; 0: any number
	Loss      float64       // the part of packets that get lost; a stream sends them again
	Duplicate float64       // the part of datagrams that come twice
	Reorder   float64       // the part of datagrams that later ones overtake
	Split     float64       // the part of a stream's segments that come in two, so that reads are short
	MTU       int           // of a packet, with its headers; 0: 1500
}

// Connect has the way from one host to another be as link says, and not as World.Link; the way back is another.
func (w *World) Connect(from, to *Host, link Link) { w.links[[2]*Host{from, to}] = link }

// Cut has nothing pass from one host to another. Streams send again what gets lost, for fifteen minutes, and idle ones
// find it by their keep-alive probes.
func (w *World) Cut(from, to *Host) {
	w.note(Event{Kind: WayCut, Host: from.index, Peer: to.index})
	w.cuts[[2]*Host{from, to}] = true
	w.net.Doubt(from.k, to.k)
}

// Mend ends a Cut.
func (w *World) Mend(from, to *Host) {
	if !w.cuts[[2]*Host{from, to}] {
		return
	}
	w.note(Event{Kind: WayMended, Host: from.index, Peer: to.index})
	delete(w.cuts, [2]*Host{from, to})
}

// Reset ends the connections of TCP between two hosts, as what lies between them may: both ends hear of it at once. It
// returns how many there were.
func (w *World) Reset(a, b *Host) int {
	n := w.net.Reset(a.k, b.k)
	w.note(Event{Kind: WayReset, Host: a.index, Peer: b.index, N: int64(n)})
	return n
}

// Partition cuts all ways, both ways, between some hosts and all others.
func (w *World) Partition(some ...*Host) {
	for _, a := range some {
		for _, b := range w.hosts {
			inside := false
			for _, c := range some {
				inside = inside || b == c
			}
			if !inside {
				w.Cut(a, b)
				w.Cut(b, a)
			}
		}
	}
}

// MendAll ends every Cut.
func (w *World) MendAll() {
	for _, a := range w.hosts {
		for _, b := range w.hosts {
			w.Mend(a, b)
		}
	}
}

// between is what lies between two hosts.
func (w *World) between(from, to *memkernel.Host) memkernel.Link {
	way := [2]*Host{w.hostOf(from), w.hostOf(to)}
	link, own := w.links[way]
	if !own {
		link = w.Link
	}
	return memkernel.Link{Latency: link.Latency, Jitter: link.Jitter, Bandwidth: link.Bandwidth, Loss: link.Loss,
		Duplicate: link.Duplicate, Reorder: link.Reorder, Split: link.Split, MTU: link.MTU, Cut: w.cuts[way]}
}

func (w *World) hostOf(k *memkernel.Host) *Host { return w.hosts[k.Number] }

// mishap decides what may happen to a packet.
func (w *World) mishap(what memkernel.Mishap, from, _ *memkernel.Host, p float64) bool {
	kind := [...]FaultKind{memkernel.Lost: FaultLoss, memkernel.Duplicated: FaultDuplicate,
		memkernel.Reordered: FaultReorder, memkernel.SplitUp: FaultSplit}[what]
	return w.faults.happens(kind, w.hostOf(from), p)
}

// packet notes a packet on its way.
func (w *World) packet(p memkernel.Packet) {
	e := Event{Kind: PacketSent, Host: w.hostOf(p.From).index, Peer: w.hostOf(p.To).index, N: int64(p.Bytes)}
	if p.Lost {
		e.Kind = PacketLost
	} else {
		e.Arrives = w.sinceStart(p.Arrives)
	}
	w.note(e)
}
