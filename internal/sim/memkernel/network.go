package memkernel

import (
	"math/bits"
	"net/netip"
	"slices"
	"time"

	"ringo/internal/sim/world"
)

// Network is the hosts of a world, and the links between them.
type Network struct {
	w     *world.World
	hosts map[netip.Addr]*Host
	all   []*Host
	// Between returns the link from one host to another. nil: packets arrive at once. From a host to itself there is
	// no link.
	Between func(from, to *Host) Link
	// Chance decides whether a mishap befalls a packet. nil: the world's random choices do.
	Chance func(what Mishap, from, to *Host, p float64) bool
	// Seen, if not nil, is called for each packet that leaves a host for another one.
	Seen func(p Packet)
	// Overtaken decides whether a datagram waits for a later one to overtake it. It returns nil if not, otherwise a
	// function that is called when one has. nil: the world's random choices decide.
	Overtaken func(from, to *Host, p float64) (came func())
	sent      map[[2]*Host]int64 // when the last packet will have left, if the bandwidth is limited
	late      map[[2]*Host]*late // the datagram that waits for a later one
	idle      []*flight          // flights that have arrived, for reuse
}

// Link is the way from one host to another.
type Link struct {
	Latency   time.Duration // of each packet
	Jitter    time.Duration // random addition, up to this
	Bandwidth int64         // bytes a second; 0: no limit
	Loss      float64       // fraction of packets, of up to MTU, that are lost; a stream sends them again
	Duplicate float64       // fraction of datagrams that arrive twice
	Reorder   float64       // fraction of datagrams that wait for a later one to overtake them
	Split     float64       // fraction of a stream's segments that arrive as two
	Cut       bool          // nothing passes
	MTU       int           // of a packet, with its headers; 0: 1500, and 65536 within a host
}

// NewNetwork makes a network of a world.
func NewNetwork(w *world.World) *Network {
	return &Network{w: w, hosts: map[netip.Addr]*Host{}, sent: map[[2]*Host]int64{}, late: map[[2]*Host]*late{}}
}

// Host adds a host with its addresses; it also has the loopback addresses.
func (n *Network) Host(name string, ips ...netip.Addr) *Host {
	h := &Host{Name: name, Number: len(n.all), net: n, w: n.w, ips: ips, max: descriptorsMax, Umask: umask,
		first: numbersFrom + int32(len(n.all)%hostsApart)*descriptorsMax,
		ports: map[portKey]*binding{}, names: map[string]*unixName{}}
	h.SetPorts(0)
	h.newDisk()
	for _, ip := range ips {
		n.hosts[ip] = h
	}
	n.all = append(n.all, h)
	return h
}

// umask is the umask of programs that don't set one.
const umask = 0o022

// hostOf returns the host that an address means for another host; nil if there is none.
func (n *Network) hostOf(from *Host, ip netip.Addr) *Host {
	if ip = ip.Unmap(); ip.IsLoopback() || ip.IsUnspecified() {
		return from
	}
	return n.hosts[ip]
}

// near reports whether there is no link between two hosts.
func (n *Network) near(a, b *Host) bool { return !a.down && !b.down && (a == b || n.Between == nil) }

func (n *Network) link(from, to *Host) Link {
	if from.down || to.down {
		return Link{Cut: true, MTU: 1500}
	}
	if from == to || n.Between == nil {
		return Link{MTU: 65536}
	}
	l := n.Between(from, to)
	if l.MTU == 0 {
		l.MTU = 1500
	}
	return l
}

// Mishap is what may befall a packet.
type Mishap uint8

const (
	Lost Mishap = iota
	Duplicated
	SplitUp
)

// Packet is a packet that leaves a host.
type Packet struct {
	From, To *Host
	Bytes    int
	Arrives  int64 // by the world's clock, at the latest; without meaning if it is lost
	Lost     bool
}

// happens decides whether a mishap befalls a packet.
func (n *Network) happens(what Mishap, from, to *Host, p float64) bool {
	if n.Chance == nil || p <= 0 {
		return n.w.Chance(p)
	}
	return n.Chance(what, from, to, p)
}

// loses decides whether a packet is lost.
func (n *Network) loses(l Link, from, to *Host, bytes int) bool {
	if !l.Cut && !n.happens(Lost, from, to, l.Loss) {
		return false
	}
	n.see(Packet{From: from, To: to, Bytes: bytes, Lost: true})
	return true
}

// losesAny is loses for a datagram, which is lost with any of its fragments.
func (n *Network) losesAny(l Link, from, to *Host, bytes int) bool {
	const header = 20
	room := max(l.MTU-header, header)
	for left := bytes - header; left > room; left -= room {
		if n.loses(l, from, to, l.MTU) {
			return true
		}
	}
	return n.loses(l, from, to, bytes)
}

// splits decides whether a stream's segment arrives as two.
func (n *Network) splits(from, to *Host) bool {
	if n.near(from, to) {
		return false
	}
	return n.happens(SplitUp, from, to, n.link(from, to).Split)
}

// once sends a packet of a handshake, which is not sent again here if it is lost.
func (n *Network) once(l Link, from, to *Host, arrive func()) {
	const bytes = 60
	if n.loses(l, from, to, bytes) {
		return
	}
	d := n.delay(l, from, to, bytes)
	n.see(Packet{From: from, To: to, Bytes: bytes, Arrives: n.w.Later(d)})
	n.w.After(d, arrive)
}

func (n *Network) see(p Packet) {
	if n.Seen != nil {
		n.Seen(p)
	}
}

const (
	retransmitFirst = 200 * time.Millisecond // RTO_MIN
	retransmitLast  = 2 * time.Minute
	// giveUp is how long a stream sends again what is not acknowledged: tcp_retries2.
	giveUp = 15 * time.Minute
	// synTries is how often a connect asks: tcp_syn_retries.
	synTries = 6
)

// delay returns how long a packet is under way.
func (n *Network) delay(l Link, from, to *Host, bytes int) time.Duration {
	d := int64(l.Latency)
	if l.Jitter > 0 {
		d = world.Sum(d, int64(n.w.Rand().Uint64N(uint64(l.Jitter)+1)))
	}
	if l.Bandwidth > 0 {
		key := [2]*Host{from, to}
		begin := max(n.sent[key], n.w.Now())
		n.sent[key] = world.Sum(begin, int64(bytes)*int64(time.Second)/l.Bandwidth)
		d = world.Sum(d, n.sent[key]-n.w.Now())
	}
	return time.Duration(d)
}

// way is one direction of a stream: what is sent on it arrives in order, and is sent again until it does.
type way struct {
	from, to *socket
	waits    []segment  // segments behind one that was lost
	alone    [1]segment // memory of waits, for one that does not wait
	retry    *world.Event
	again    time.Duration // the time until the next retry
	since    int64         // when the first of the lost segments was sent
	last     int64         // when the last segment will arrive
	asks     *world.Event  // asks for an acknowledgement that was lost, see await
	pause    time.Duration // the time until asks
	silent   int64         // since when no acknowledgement has come
	resets   bool          // a reset is under way
	life     uint64        // the peer's life, as the peer may have another connection later
}

// segment is what travels, with the event of its arrival.
type segment struct {
	bytes   int
	lost    int // how many of its packets are sent again; 0: it is sent for the first time
	arrives *world.Event
}

func (y *way) send(bytes int, arrives *world.Event) {
	y.waits = append(y.waits, segment{bytes: bytes, arrives: arrives})
	if y.retry == nil {
		y.pump()
	}
}

// pump sends the waiting segments, until one is lost.
func (y *way) pump() {
	n, from, to := y.from.h.net, y.from.h, y.to.h
	for len(y.waits) > 0 {
		s := &y.waits[0]
		if n.near(from, to) {
			arrives := s.arrives
			y.leaves()
			arrives.Happen()
			continue
		}
		l := n.link(from, to)
		if packets := s.packets(l); n.loses(l.times(packets), from, to, s.bytes) {
			s.lost = max(1, int(float64(packets)*l.Loss))
			y.lost()
			return
		}
		y.again = 0
		y.passes(l, s.bytes, s.arrives)
		y.leaves()
	}
}

// once sends a segment that is not sent again, and reports whether it is under way or has arrived.
func (y *way) once(bytes int, arrives *world.Event) bool {
	n, from, to := y.from.h.net, y.from.h, y.to.h
	if n.near(from, to) {
		arrives.Happen()
		return true
	}
	l := n.link(from, to)
	if n.loses(l, from, to, bytes) {
		return false
	}
	y.passes(l, bytes, arrives)
	return true
}

// passes plans the arrival of a segment that is not lost, behind everything under way.
func (y *way) passes(l Link, bytes int, arrives *world.Event) {
	n, from, to := y.from.h.net, y.from.h, y.to.h
	y.last = max(y.last, n.w.Later(n.delay(l, from, to, bytes)))
	n.see(Packet{From: from, To: to, Bytes: bytes, Arrives: y.last})
	n.w.Plan(arrives, y.last)
}

// packets returns how many packets of the way's MTU a segment is sent as: all of it at first, and later as many as
// were lost on average.
func (s *segment) packets(l Link) int {
	const headers = 40
	if s.lost > 0 {
		return s.lost
	}
	room := max(l.MTU-headers, 1)
	return max(1, (s.bytes-headers+room-1)/room)
}

// times returns a link on which one packet is lost as often as a segment of so many packets is on this one. It
// computes in integers: some processors round a product and a sum of floats only once, after the sum, so a world would
// take another course there.
func (l Link) times(packets int) Link {
	if packets <= 1 || l.Loss <= 0 || l.Loss >= 1 {
		return l
	}
	const one = 1 << 53 // the precision of a float64
	passes, each := uint64(one), one-uint64(l.Loss*one)
	for ; packets > 0; packets >>= 1 {
		if packets&1 != 0 {
			passes = part(passes, each)
		}
		each = part(each, each)
	}
	l.Loss = float64(one-passes) / one
	return l
}

// part returns the product of two fractions of 1<<53.
func part(a, b uint64) uint64 {
	high, low := bits.Mul64(a, b)
	return high<<11 | low>>53
}

// leaves removes the first waiting segment.
func (y *way) leaves() {
	y.waits[0] = segment{}
	if y.waits = y.waits[1:]; len(y.waits) == 0 {
		y.waits = y.alone[:0]
	}
}

// lost plans the next try, or gives the connection up.
func (y *way) lost() {
	w := y.from.h.w
	if y.again == 0 {
		y.again, y.since = retransmitFirst, w.Now()
	} else {
		y.again = min(2*y.again, retransmitLast)
	}
	left := y.left(y.since)
	if left <= 0 {
		y.from.timedOut()
		return
	}
	y.retry = w.After(min(y.again, left), func() { y.retry = nil; y.pump() })
}

// left returns how much longer the connection is kept, if nothing has been acknowledged since the time given.
func (y *way) left(since int64) time.Duration {
	return y.from.patience() - time.Duration(y.from.h.w.Now()-since)
}

// stop forgets what has not been sent and what has not been acknowledged.
func (y *way) stop() {
	w := y.from.h.w
	w.Drop(y.retry)
	w.Drop(y.asks)
	y.retry, y.asks, y.waits = nil, nil, nil
}

// flight is a piece of a stream under way.
type flight struct {
	from, to *socket
	way      *way
	data     []byte
	says     acknowledgement
	arrives  *world.Event
}

// flightsIdle bounds the flights that are kept for reuse.
const flightsIdle = 64

// fly removes bytes from the stream to be sent to its peer.
func (s *socket) fly(length int) *flight {
	n := s.h.net
	var f *flight
	if last := len(n.idle) - 1; last >= 0 {
		f, n.idle = n.idle[last], n.idle[:last]
	} else {
		f = &flight{}
		f.arrives = world.NewEvent(f.arrive)
	}
	f.from, f.to = s, s.peer
	f.data = slices.Grow(f.data, length)[:length]
	s.out.take(f.data)
	s.flies(length)
	f.way, f.says = s.way, s.has()
	return f
}

func (f *flight) arrive() {
	s, to, n := f.from, f.to, f.from.h.net
	y, length := f.way, len(f.data)
	if y.forgotten() {
		y.refused()
	} else if to.arrived(f.data); f.says.upTo > to.acked && to.peer == s {
		to.way.hears(f.says)
	}
	f.from, f.to, f.way, f.data = nil, nil, nil, f.data[:0]
	if len(n.idle) < flightsIdle {
		n.idle = append(n.idle, f)
	}
	y.arrived(length)
}
