package sock

import (
	"context"
	"errors"
	"net"
	"net/netip"

	"ringo"
	"ringo/internal/cmsg"
	"ringo/internal/loop"
	"ringo/internal/posix"
	"ringo/internal/rt/code"
)

// ListenAndServePackets runs loops that share one UDP address, and calls handle for each datagram in a task of its own;
// see ServePackets. It returns nil after an orderly end, as ringo.Run does. Any goroutine may call it. A task gets an
// error, since its loop would stop meanwhile.
func ListenAndServePackets(ctx context.Context, cfg *ringo.Config, network, address string,
	handle func(p *Packet)) error {
	return new(ListenConfig).ListenAndServePackets(ctx, cfg, network, address, handle)
}

// ListenAndServePackets is like the function ListenAndServePackets, with these options: see ReservePackets.
func (lc *ListenConfig) ListenAndServePackets(ctx context.Context, cfg *ringo.Config, network, address string,
	handle func(p *Packet)) error {
	if err := checkServe("ListenAndServePackets", handle == nil); err != nil {
		return err
	}
	set, err := lc.ReservePackets(network, address)
	if err != nil {
		return err
	}
	defer set.Close()
	h := &PacketHandler{Packet: handle}
	return ringo.Run(ctx, cfg, func(l *ringo.Loop) error {
		c, err := set.Listen(l)
		if err != nil {
			return err
		}
		defer c.Close()
		return ServePackets(l, c, h)
	})
}

// A PacketHandler handles the datagrams of ServePackets. All loops may share one.
type PacketHandler struct {
	// Packet is called for each datagram, in a task of its own, which may park. On a socket with PacketConn.SetGRO it
	// is called once for datagrams that came joined, with their size in Control.Segment.
	Packet func(p *Packet)
	// Size is how many bytes of a datagram are read; the rest is lost, which Packet.Flags reports. The default is 2048,
	// and 65536 on a socket with PacketConn.SetGRO, which has to be called before ServePackets.
	Size int
	// Tasks is how many calls of Packet may be under way on a loop; the default is 1024. At that number no more
	// datagrams are read: the kernel queues them, and drops and counts them once its queue is full (PacketConn.Drops).
	Tasks int
}

// A Packet is a datagram that ServePackets has read. Its handler owns it and its memory until the handler returns.
type Packet struct {
	Bytes []byte
	OOB   []byte         // control messages: see ParseControl and PacketConn.SetControl
	Addr  netip.AddrPort // the sender, as in PacketConn.ReadFromUDPAddrPort
	Flags int            // MSG_TRUNC: it was longer than PacketHandler.Size

	by    *packetServer
	mem   [1][]byte // for Bytes
	oob   []byte    // for OOB
	reply reply
}

// reply is a reply that is sent together with others.
type reply struct {
	vec  [1][]byte
	oob  []byte
	from []byte     // memory for oob
	task *loop.Task // the task that waits until it is sent; nil: there is none
	err  error
}

// Conn returns the socket on which the datagram arrived.
func (p *Packet) Conn() *PacketConn {
	if p.by == nil {
		return nil
	}
	return p.by.c
}

// Reply sends b as a datagram to the sender, from the address to which the sender has sent. Replies of the same turn
// are sent together, by one system call. Reply parks until b is sent or has failed; then the caller owns b again.
// Cancelling the task does not end that wait; a write deadline of the socket and its Close do. Only tasks of the
// socket's loop may call it.
func (p *Packet) Reply(b []byte) error { return p.ReplyMsg(b, nil) }

// ReplyMsg is like Reply, with control messages: see Control.Append. If there are any and the socket is bound to all
// addresses, they must include the local address (Control.Local). It parks.
func (p *Packet) ReplyMsg(b, oob []byte) error {
	s := p.by
	switch {
	case s == nil:
		return errZero
	case !s.l.IsCurrent():
		return s.c.failTo(&sendmsg{named: true, to: p.Addr}, stranger(s.l))
	case p.reply.task != nil: // a reply of another task is under way
		if len(oob) == 0 && s.fromThere {
			oob = appendLocal(nil, p.OOB)
		}
		_, _, err := s.c.WriteMsgUDPAddrPort(b, oob, s.to(p))
		return err
	}
	r := &p.reply
	if r.vec[0], r.oob = b, oob; len(oob) == 0 && s.fromThere {
		r.from = appendLocal(r.from[:0], p.OOB)
		r.oob = r.from
	}
	s.out = append(s.out, p)
	if !s.sending {
		s.sending = true
		s.l.Start((*packetSender)(s))
	}
	r.task = s.l.Task()
	s.l.Park((*replying)(p))
	err := r.err
	r.vec[0], r.oob, r.task, r.err = nil, nil, nil, nil
	return err
}

// replying is a Packet as what a task in Reply waits for. No cancel ends that wait, because the sender still uses the
// task's memory.
type replying Packet

// DescribeWait says that the task writes, and to whom.
func (w *replying) DescribeWait(_ *loop.Task, d *loop.Wait) {
	d.Op, d.Peer = "write", w.Addr
}

// localMax is more than appendLocal appends.
const localMax = 64

// appendLocal appends the control message that makes a reply come from the address to which the datagram was sent. oob
// is the datagram's control messages.
func appendLocal(b, oob []byte) []byte {
	for m, rest, ok := cmsg.Next(oob); ok; m, rest, ok = cmsg.Next(rest) {
		if info, ok := m.Info(); ok && info.Here.IsValid() {
			index := uint32(0) // the system finds the interface
			if info.Here.Is6() && info.Here.IsLinkLocalUnicast() {
				index = info.Index // of which each has its own such addresses
			}
			return cmsg.AppendInfo(b, !info.Here.Is4(), index, info.Here)
		}
	}
	return b
}

// packetServer is one call of ServePackets.
type packetServer struct {
	l     *loop.Loop
	c     *PacketConn
	h     *PacketHandler
	gives loop.Inherited // what the handler's tasks inherit from the caller of ServePackets
	size  int
	tasks int // the limit of PacketHandler.Tasks

	fromThere bool       // replies must name their source address
	left      int        // how many more datagrams are read once the drain has begun
	running   int        // calls of the handler
	waiter    *loop.Task // the reader, while it waits for a call to return
	free      []*Packet  // packets whose handlers have returned
	next      []*Packet  // packets to read into
	in        []Message  // messages with the memory of next
	out       []*Packet  // packets whose replies are to be sent
	going     []*Packet  // packets whose replies are being sent
	outgoing  []Message  // those replies
	sending   bool       // a task sends replies
}

const (
	packetSize     = 2048
	packetTasks    = 1024
	packetsKept    = 2 * MessagesMax
	packetsDrained = 1024
)

// ServePackets reads the datagrams of c, and calls h for each in a task of its own. It returns nil when the program
// drains, after the datagrams that have arrived by then, 1024 at most, or when c is closed; in both cases it first
// waits until all calls of h have returned. Errors that the network reports for datagrams sent before, such as
// ECONNREFUSED of a connected socket, do not end it. If c is bound to all addresses, it makes the kernel report each
// datagram's local address (SetControl with ControlLocal). c has to belong to l, and only a task of l may call it; it
// parks.
func ServePackets(l *ringo.Loop, c *PacketConn, h *PacketHandler) error {
	e := (*loop.Loop)(l)
	switch {
	case c == nil:
		return errors.New("sock: ServePackets of a nil PacketConn")
	case !e.IsCurrent():
		return c.fail("read", stranger(e))
	case h == nil || h.Packet == nil:
		return errors.New("sock: ServePackets without PacketHandler.Packet")
	case h.Size < 0 || h.Size > datagramMax || h.Tasks < 0:
		return errors.New("sock: PacketHandler.Size or Tasks is negative, or Size more than 65536")
	case c.l != e:
		return c.fail("read", stranger(c.l))
	}
	s := &packetServer{l: e, c: c, h: h, gives: e.Inherited(), size: h.Size, tasks: h.Tasks, left: packetsDrained}
	if s.size == 0 {
		if s.size = packetSize; c.in.gro.Load() {
			s.size = datagramMax
		}
	}
	if s.tasks == 0 {
		s.tasks = packetTasks
	}
	if a, ok := c.laddr.(*net.UDPAddr); ok && a.IP.IsUnspecified() {
		whole, err := c.setControl(ControlLocal, true)
		if err != nil && !errors.Is(err, posix.ENOPROTOOPT) {
			return err
		}
		s.fromThere = err == nil && whole // else the system chooses from where it replies, as in package net
	}
	err := s.read()
	for s.running > 0 {
		s.wait()
	}
	if errors.Is(err, net.ErrClosed) || errors.Is(err, loop.ErrDraining) {
		return nil
	}
	return err
}

// read reads datagrams until an error, or a drain, ends it.
func (s *packetServer) read() error {
	for {
		for s.running >= s.tasks {
			if s.wait(); s.l.Canceled() {
				return s.l.Cause()
			}
		}
		if s.l.Draining() && s.left <= 0 {
			return loop.ErrDraining
		}
		n, err := s.c.takeBatch(s.room(), true)
		s.begin(n)
		if err != nil && !passing(err) {
			return err
		}
		if s.c.in.ready && !s.l.YieldTurn() { // the datagrams that were read come first
			return s.l.Cause()
		}
	}
}

// passing reports whether a read's error is about a datagram that was sent before, or about a peer. EPERM and
// EOPNOTSUPP, which for an accept are a peer's, are the socket's here: the next read would fail with them, too.
func passing(err error) bool {
	var e posix.Errno
	switch {
	case !errors.As(err, &e), e == posix.EPERM, e == posix.EOPNOTSUPP:
		return false
	}
	return ofPeer(posix.Result(e)) || e == posix.ECONNREFUSED || e == posix.EMSGSIZE
}

// wait parks the reader until a call of the handler returns. No cancel ends that wait, because the handlers' tasks use
// the reader's memory. At a Run's end these are cancelled, too.
func (s *packetServer) wait() {
	s.waiter = s.l.Task()
	s.l.Park(s)
	s.waiter = nil
}

// DescribeWait says that the task waits for the handler.
func (s *packetServer) DescribeWait(_ *loop.Task, d *loop.Wait) { d.Op = "the handler of packets" }

// room returns messages to read into, for as many datagrams as tasks may be started.
func (s *packetServer) room() []Message {
	n := min(MessagesMax, s.tasks-s.running)
	for len(s.next) < n {
		p := s.packet()
		s.next = append(s.next, p)
		s.in = append(s.in, Message{Buffers: p.mem[:], OOB: p.oob})
	}
	return s.in[:n]
}

// packet returns a Packet with memory for a datagram.
func (s *packetServer) packet() *Packet {
	if n := len(s.free); n > 0 {
		p := s.free[n-1]
		s.free = s.free[:n-1]
		return p
	}
	mem := make([]byte, ControlMax+localMax)
	p := &Packet{by: s, oob: mem[:ControlMax:ControlMax]}
	p.mem[0], p.reply.from = make([]byte, s.size), mem[ControlMax:ControlMax]
	return p
}

// begin starts the tasks for datagrams that have been read.
func (s *packetServer) begin(n int) {
	for i := range n {
		p, m := s.next[i], &s.in[i]
		p.Bytes, p.OOB, p.Addr, p.Flags = p.mem[0][:m.N], p.oob[:m.NN], m.Addr, m.Flags
		s.l.Start(s.gives.ClassTo((*packetTask)(p)))
	}
	s.running += n
	s.left -= boolInt(s.l.Draining()) * n
	kept := copy(s.next, s.next[n:])
	clear(s.next[kept:])
	s.next = s.next[:kept]
	copy(s.in, s.in[n:])
	clear(s.in[kept:])
	s.in = s.in[:kept]
}

// packetTask is a datagram as the task that handles it.
type packetTask Packet

// Run calls the handler.
func (t *packetTask) Run() {
	p := (*Packet)(t)
	s := p.by
	if !s.gives.None() { // a task inherits nothing by itself
		s.l.Inherit(s.gives)
	}
	defer s.ended(p) // also by a panic, or a Goexit
	s.h.Packet(p)
}

// Code shows the task under the name of the program's function.
func (t *packetTask) Code() code.Func { return code.Of(t.by.h.Packet) }

// ended takes a packet's memory back when its handler has returned, and resumes the reader if it waits.
func (s *packetServer) ended(p *Packet) {
	s.running--
	if p.Bytes, p.OOB = nil, nil; len(s.free) < packetsKept && p.reply.task == nil {
		s.free = append(s.free, p)
	}
	if w := s.waiter; w != nil {
		s.waiter = nil
		s.l.Ready(w)
	}
}

// packetSender is the server as the task that sends replies.
type packetSender packetServer

// Run sends the replies that are waiting.
func (t *packetSender) Run() {
	s := (*packetServer)(t)
	for len(s.out) > 0 {
		s.going, s.out = s.out, s.going[:0]
		for _, p := range s.going {
			s.outgoing = append(s.outgoing, Message{Buffers: p.reply.vec[:], OOB: p.reply.oob, Addr: p.Addr})
		}
		for at := 0; at < len(s.going); {
			n, err := s.c.WriteBatch(s.outgoing[at:])
			for range n {
				s.gone(at, nil)
				at++
			}
			if err != nil {
				s.gone(at, err)
				at++
			}
		}
		clear(s.going)
		clear(s.outgoing)
		s.going, s.outgoing = s.going[:0], s.outgoing[:0]
	}
	s.sending = false
}

// gone resumes the task whose reply was sent, or has failed.
func (s *packetServer) gone(i int, err error) {
	r := &s.going[i].reply
	r.err = err
	s.l.Ready(r.task)
}

// Code shows the task under the name of the program's function, whose replies it sends.
func (t *packetSender) Code() code.Func { return code.Of(t.h.Packet) }

// to returns the address for a plain write to a datagram's sender.
func (s *packetServer) to(p *Packet) netip.AddrPort {
	if s.c.connected {
		return netip.AddrPort{}
	}
	return p.Addr
}
