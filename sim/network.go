package sim

import (
	"slices"
	"time"

	"ringo/internal/sim/memkernel"
)

// Link configures the network from one host to another. Segments of a stream travel, and are traced, in units of up to
// 64 KiB, as with segmentation offload (GSO); loss applies to each of the packets of MTU size that they consist of.
type Link struct {
	Latency   time.Duration // of each packet
	Jitter    time.Duration // random addition, up to this
	Bandwidth int64         // bytes a second; 0: no limit
	Loss      float64       // fraction of packets, of up to MTU, that are lost; a stream sends them again
	Duplicate float64       // fraction of datagrams that arrive twice, at once or one copy later
	Reorder   float64       // fraction of datagrams that a later one overtakes, if one comes in time
	Split     float64       // fraction of a stream's segments that are split in two, so that reads are short
	MTU       int           // of a packet, with its headers; 0: 1500
}

// Connect sets the link from one host to another, instead of World.Link. It does not change the opposite direction.
func (w *World) Connect(from, to *Host, link Link) {
	defer w.stage.Enter()()
	w.wantOwn("World.Connect", from, to)
	wantRight("World.Connect", link.check())
	w.links[[2]*Host{from, to}] = link
}

// Cut drops everything that one host sends to another. Streams retransmit for fifteen minutes, and idle ones notice the
// cut by their keep-alive probes. Cutting twice has no further effect.
func (w *World) Cut(from, to *Host) {
	defer w.stage.Enter()()
	w.wantOwn("World.Cut", from, to)
	w.cut(from, to, nil)
}

// Mend ends a Cut. If a storm has cut the direction as well, it stays cut until the storm ends that.
func (w *World) Mend(from, to *Host) {
	defer w.stage.Enter()()
	w.wantOwn("World.Mend", from, to)
	w.mend(from, to, nil)
}

// partition is a cut by a storm, which mends only the ways that it has cut itself.
type partition struct{ of *Host }

// cut cuts a way on behalf of a partition; nil means the script.
func (w *World) cut(from, to *Host, by *partition) {
	way := [2]*Host{from, to}
	if !slices.Contains(w.cuts[way], by) {
		w.cuts[way] = append(w.cuts[way], by)
	}
	w.note(Event{Kind: WayCut, Host: from.index, Peer: to.index})
	w.net.Doubt(from.k, to.k)
}

// mend undoes a cut. The way is open again once nothing cuts it any longer.
func (w *World) mend(from, to *Host, by *partition) {
	way := [2]*Host{from, to}
	i := slices.Index(w.cuts[way], by)
	if i < 0 {
		return
	}
	if w.cuts[way] = slices.Delete(w.cuts[way], i, i+1); len(w.cuts[way]) == 0 {
		w.opens(way)
	}
}

// opens lets packets pass again.
func (w *World) opens(way [2]*Host) {
	w.note(Event{Kind: WayMended, Host: way[0].index, Peer: way[1].index})
	delete(w.cuts, way)
}

// Reset resets the TCP connections between two hosts, as a device between them may: both ends see it at once. It
// returns their number.
func (w *World) Reset(a, b *Host) int {
	defer w.stage.Enter()()
	w.wantOwn("World.Reset", a, b)
	n := w.net.Reset(a.k, b.k)
	w.note(Event{Kind: WayReset, Host: a.index, Peer: b.index, N: int64(n)})
	return n
}

// Partition cuts both directions between some hosts and all others.
func (w *World) Partition(some ...*Host) {
	defer w.stage.Enter()()
	w.wantOwn("World.Partition", some...)
	for _, a := range some {
		for _, b := range w.hosts {
			if !slices.Contains(some, b) {
				w.Cut(a, b)
				w.Cut(b, a)
			}
		}
	}
}

// MendAll ends every Cut, including those of storms.
func (w *World) MendAll() {
	defer w.stage.Enter()()
	for _, a := range w.hosts {
		for _, b := range w.hosts {
			if way := [2]*Host{a, b}; len(w.cuts[way]) > 0 {
				w.opens(way)
			}
		}
	}
}

// between returns the link between two hosts.
func (w *World) between(from, to *memkernel.Host) memkernel.Link {
	way := [2]*Host{w.hostOf(from), w.hostOf(to)}
	link, own := w.links[way]
	if !own {
		w.checkLink()
		link = w.Link
	}
	return memkernel.Link{Latency: link.Latency, Jitter: link.Jitter, Bandwidth: link.Bandwidth, Loss: link.Loss,
		Duplicate: link.Duplicate, Reorder: link.Reorder, Split: link.Split, MTU: link.MTU, Cut: len(w.cuts[way]) > 0}
}

func (w *World) hostOf(k *memkernel.Host) *Host { return w.hosts[k.Number] }

// mishap decides whether a mishap befalls a packet.
func (w *World) mishap(what memkernel.Mishap, from, _ *memkernel.Host, p float64) bool {
	kind := [...]FaultKind{memkernel.Lost: FaultLoss, memkernel.Duplicated: FaultDuplicate,
		memkernel.SplitUp: FaultSplit}[what]
	return w.faults.happens(kind, w.hostOf(from), p)
}

// overtaken decides whether a datagram waits for a later one. The returned function records the fault when that has
// come.
func (w *World) overtaken(from, _ *memkernel.Host, p float64) (came func()) {
	id, comes := w.faults.draw(FaultReorder, w.hostOf(from), p)
	if !comes {
		return nil
	}
	return func() { w.faults.come(id) }
}

// packet records a packet.
func (w *World) packet(p memkernel.Packet) {
	e := Event{Kind: PacketSent, Host: w.hostOf(p.From).index, Peer: w.hostOf(p.To).index, N: int64(p.Bytes)}
	if p.Lost {
		e.Kind = PacketLost
	} else {
		e.Arrives = w.sinceStart(p.Arrives)
	}
	w.note(e)
}
