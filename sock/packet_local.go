package sock

import (
	"net/netip"

	"ringo/internal/cmsg"
	"ringo/internal/handle"
	"ringo/internal/op"
	"ringo/internal/sys"
)

const (
	// datagramMax is more than the longest datagram, and more than what GRO joins.
	datagramMax = 1 << 16
	// fetchMax is how many datagrams one call fetches in addition to the reader's own.
	fetchMax = 16
	// fetchControl is the room for each datagram's control messages, more than the kernel has to report.
	fetchControl = ControlMax
	// stagger keeps the first cache lines of the buffers from falling into the same few sets of the processor's cache.
	stagger = 4 * 64
)

// datagram is a datagram that was fetched and not read yet; with GRO it may be several joined ones.
type datagram struct {
	bytes   []byte
	control []byte
	flags   uint32
	segment int // the size of each joined datagram, 0 if it is only one
	from    netip.AddrPort
}

// packetLocal is what the datagram sockets of a loop share: the memory of one fetch, which stays warm because it is
// used again and again. The socket that fetched last owns the unread datagrams in it, until another socket needs the
// memory.
type packetLocal struct {
	batch  *sys.Batch // message 0 is the reader's, the others use the memory below
	fetch  op.Op
	ext    op.Ext
	owner  *packet
	used   bool       // by a fetch, since the last Trim
	unread []datagram // of owner; a part of store
	store  [fetchMax]datagram

	mem, control [1 + fetchMax + 1][]byte // the last is in reserve
	shown        int                      // the message that a callback uses, 0 if none does; see packetEvents.Next

	send    op.Op
	sendExt op.Ext

	many    op.Op // for a batch of the program's messages
	manyExt op.Ext
}

// packets returns the loop's memory for datagrams.
func (s *loopState) packets() *packetLocal {
	if s.packet == nil {
		s.packet = newPacketLocal()
	}
	return s.packet
}

func newPacketLocal() *packetLocal {
	pl := &packetLocal{batch: op.NewBatch(1 + fetchMax)}
	pl.ext.Batch = pl.batch
	pl.fetch = op.Op{Code: op.Recvmmsg, Ext: &pl.ext}
	pl.send = op.Op{Ext: &pl.sendExt}
	pl.many = op.Op{Ext: &pl.manyExt}
	return pl
}

// furnish allocates the memory for a fetch. A loop that only sends never needs it.
func (pl *packetLocal) furnish() {
	mem := make([]byte, (fetchMax+1)*(datagramMax+stagger))
	control := make([]byte, (fetchMax+1)*fetchControl)
	for i := range fetchMax + 1 {
		at := i * (datagramMax + stagger)
		pl.mem[1+i] = mem[at : at+datagramMax : at+datagramMax]
		at = i * fetchControl
		pl.control[1+i] = control[at : at+fetchControl : at+fetchControl]
	}
	for i := range fetchMax {
		pl.furnishOne(1 + i)
	}
}

func (pl *packetLocal) furnishOne(i int) {
	pl.batch.Set(i, pl.mem[i])
	pl.batch.SetControl(i, pl.control[i])
}

// spareShown keeps the next fetch from overwriting the datagram that a callback uses: its message gets the reserve, and
// its memory becomes the reserve. One is enough, since callbacks have one datagram at a time.
func (pl *packetLocal) spareShown() {
	const reserve = 1 + fetchMax
	if i := pl.shown; i != 0 {
		pl.mem[i], pl.mem[reserve] = pl.mem[reserve], pl.mem[i]
		pl.control[i], pl.control[reserve] = pl.control[reserve], pl.control[i]
		pl.furnishOne(i)
		pl.shown = 0
	}
}

// keepUnread copies the unread datagrams into their socket's own memory, so that the next fetch may use this one.
func (pl *packetLocal) keepUnread() {
	if len(pl.unread) == 0 {
		return
	}
	c := pl.owner
	size := 0
	for _, d := range pl.unread {
		size += len(d.bytes) + len(d.control)
	}
	mem := c.local.Get(size)
	c.in.keptMem = mem
	for _, d := range pl.unread {
		n := len(mem)
		mem = append(mem, d.bytes...)
		d.bytes = mem[n:len(mem):len(mem)]
		n = len(mem)
		mem = append(mem, d.control...)
		d.control = mem[n:len(mem):len(mem)]
		c.in.kept = append(c.in.kept, d)
	}
	pl.forget()
}

func (pl *packetLocal) forget() { pl.owner, pl.unread = nil, nil }

// fetch receives datagrams, the first of them straight into d, unless d is nil or joined datagrams have to be taken
// apart. A negative result is the call's; ok is false if there is nothing.
func (c *packet) fetch(d *recvmsg) (res int32, ok bool) {
	pl := c.local.packets()
	if pl.mem[1] == nil {
		pl.furnish()
	}
	pl.used = true
	c.l.HasSpare()
	pl.keepUnread()
	pl.spareShown()
	in, b := &c.in, pl.batch
	first, window := 0, min(max(in.window, 2), fetchMax)
	gro := in.gro.Load()
	if d == nil || gro && !d.joined {
		first = 1
	}
	switch {
	case in.single.Load(),
		gro && first == 0,      // copying a row costs more than another call
		c.family == sys.AFUnix: // a passed descriptor must get to its reader
		window = 1
	}
	for i := first; i < first+window; i++ {
		b.SetNamed(i, !c.connected)
	}
	if first == 0 {
		b.Set(0, d.p)
		b.SetControl(0, d.oob)
	}
	b.Window(first, first+window)
	pl.fetch.FD = c.core.FD()
	res, ok = c.l.Ops().Try(&pl.fetch)
	in.asked(window, res, ok)
	if !ok || res < 0 {
		pl.drop()
		return res, ok
	}
	in.window = 2 * int(res)
	if first == 0 {
		c.deliver(d, b)
		pl.drop()
	}
	pl.own(c, int(res)+first)
	if first == 1 && d != nil {
		in.popInto(c, true, d)
	}
	return 0, true
}

// fetchForeign receives a datagram for a foreign caller that has access, which waits in it. A negative result is the
// call's.
func (c *packet) fetchForeign(a handle.Access, d *recvmsg) (int32, error) {
	o := a.Op()
	x := o.Ext
	o.Code = op.Recvmsg
	row := c.in.gro.Load() && !d.joined
	p, oob := d.p, d.oob
	if row { // joined datagrams are taken apart from other memory
		p, oob = make([]byte, datagramMax), make([]byte, fetchControl)
	}
	x.SetVector([][]byte{p})
	x.Named, x.Control = !c.connected, oob
	defer unfill(o)
	res, err := a.Do()
	if err != nil || res < 0 {
		return res, err
	}
	got := datagram{bytes: p[:res], control: x.Received(), flags: x.MsgFlags(), from: c.peer}
	if !c.connected {
		got.from = x.Sender().AddrPort()
	}
	if row {
		got.segment = segmentOf(got.control)
		c.in.kept = append(c.in.kept, got)
		c.in.popInto(c, false, d)
		return 0, nil
	}
	d.n, d.oobn, d.flags, d.from = len(got.bytes), len(got.control), got.flags, got.from
	if c.family == sys.AFUnix && !c.connected {
		d.path, _ = x.Sender().Unix()
	}
	return 0, nil
}

// own makes the messages 1 to end-1 the unread datagrams of c.
func (pl *packetLocal) own(c *packet, end int) {
	if end <= 1 {
		return
	}
	pl.owner, pl.unread = c, pl.store[:end-1]
	for i := 1; i < end; i++ {
		d := &pl.store[i-1]
		*d = datagram{bytes: pl.mem[i][:pl.batch.Len(i)], control: pl.batch.Control(i), flags: pl.batch.Flags(i),
			from: c.peer}
		if !c.connected {
			d.from = pl.batch.Addr(i).AddrPort()
		}
		if c.in.gro.Load() {
			d.segment = segmentOf(d.control)
		}
	}
}

// drop drops the references to the reader's memory.
func (pl *packetLocal) drop() {
	pl.batch.Set(0, nil)
	pl.batch.SetControl(0, nil)
}

// deliver sets the result of a read whose datagram was received into the reader's own memory.
func (c *packet) deliver(d *recvmsg, b *sys.Batch) {
	d.n, d.oobn, d.flags = b.Len(0), len(b.Control(0)), b.Flags(0)
	if c.connected {
		d.from = c.peer
		return
	}
	d.from = b.Addr(0).AddrPort()
	if c.family == sys.AFUnix {
		d.path, _ = b.Addr(0).Unix()
	}
}

// segmentOf returns the size of datagrams that came joined, 0 if it is a single one.
func segmentOf(control []byte) int {
	for m, rest, ok := cmsg.Next(control); ok; m, rest, ok = cmsg.Next(rest) {
		if size, ok := m.GRO(); ok && size > 0 {
			return size
		}
	}
	return 0
}

// head returns the first datagram that was fetched and not read, nil if there is none. Only tasks of the loop may look
// at the loop's memory.
func (in *packetInput) head(c *packet, own bool) *datagram {
	if len(in.kept) > 0 {
		return &in.kept[0]
	}
	if !own {
		return nil
	}
	if pl := c.local.packet; pl != nil && pl.owner == c && len(pl.unread) > 0 {
		return &pl.unread[0]
	}
	return nil
}

// unread returns how many bytes the fetched datagrams have. For the loop's thread.
func (in *packetInput) unread(c *packet) (n int) {
	for _, d := range in.kept {
		n += len(d.bytes)
	}
	if pl := c.local.packet; pl != nil && pl.owner == c {
		for _, d := range pl.unread {
			n += len(d.bytes)
		}
	}
	return n
}

// pop removes the first fetched datagram; there must be one.
func (in *packetInput) pop(c *packet, own bool) {
	if len(in.kept) == 0 {
		c.local.packet.unread = c.local.packet.unread[1:]
		return
	}
	if in.kept = in.kept[1:]; len(in.kept) == 0 && own {
		in.dropKept(c)
	}
}

// popInto moves the first fetched datagram into d. It returns false if there is none.
func (in *packetInput) popInto(c *packet, own bool, d *recvmsg) bool {
	first := in.head(c, own)
	if first == nil {
		return false
	}
	if first.moveTo(d) {
		in.pop(c, own)
	}
	return true
}

// dropKept gives back the memory of the kept datagrams.
func (in *packetInput) dropKept(c *packet) {
	switch {
	case in.keptMem == nil:
	case c.local.shownOf == c: // a callback has some of it
		c.local.shownOf, c.local.shown = nil, in.keptMem
	default:
		c.local.Put(in.keptMem)
	}
	in.kept, in.keptMem = nil, nil
}

// shows notes that a callback uses the first fetched datagram.
func (in *packetInput) shows(c *packet) {
	if len(in.kept) > 0 {
		c.local.shownOf = c
		return
	}
	pl := c.local.packet
	pl.shown = 1 + fetchMax - cap(pl.unread) // the messages before it were read
}

// takeBackShown makes the memory that a callback has used free again.
func (s *loopState) takeBackShown() {
	if s.packet != nil {
		s.packet.shown = 0
	}
	if s.shown != nil {
		s.Put(s.shown)
	}
	s.shownOf, s.shown = nil, nil
}

// release drops the datagrams that were not read.
func (in *packetInput) release(c *packet) {
	if pl := c.local.packet; pl != nil && pl.owner == c {
		pl.forget()
	}
	in.dropKept(c)
}

// moveTo copies a datagram, or the first of joined ones, to its reader. It reports whether that was all.
func (d *datagram) moveTo(to *recvmsg) (all bool) {
	p := d.bytes
	if d.segment > 0 && !to.joined {
		p = p[:min(len(p), d.segment)]
	}
	to.n, to.oobn, to.flags, to.from = copy(to.p, p), copyControl(to.oob, d.control), d.flags, d.from
	if to.n < len(p) {
		to.flags |= sys.MsgTrunc
	}
	if to.oobn < len(d.control) {
		to.flags |= sys.MsgCtrunc
	}
	d.bytes = d.bytes[len(p):]
	return len(d.bytes) == 0
}

// copyControl copies as many whole control messages as there is room for, as the kernel would.
func copyControl(dst, src []byte) int {
	n := len(src)
	if n > len(dst) {
		n = 0
		for _, rest, ok := cmsg.Next(src); ok && len(src)-len(rest) <= len(dst); _, rest, ok = cmsg.Next(rest) {
			n = len(src) - len(rest)
		}
	}
	return copy(dst, src[:n])
}
