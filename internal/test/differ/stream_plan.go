package differ

// flyingMax and piecesMax bound what may be on its way in one direction: as many bytes, in as many pieces, as any
// socket has room for, however small the pieces are.
const (
	flyingMax = 12 << 10
	piecesMax = 12
)

// A listener of the plan.
type listener struct {
	id      int
	on      int // see caller
	network string
	life    res // shared by users, exclusive for Close
	dials   res // exclusive for dials
	accepts res
	served  bool // by a server that answers with what it reads
	clients []*conn
}

// A direction is one direction of a connection, or of a pipe.
type direction struct {
	id     int
	w, r   res       // used by writers, and by readers
	event  res       // used by what ends a reader's wait
	flying []segment // written, and not yet planned to be read
	at     int       // how many bytes were written
	shut   bool      // nothing more will be written
	broken bool      // a writer gets an error
}

// A conn is one end of a connection.
type conn struct {
	id      int
	on      int // see caller
	network string
	life    res
	in, out *direction
	peer    *conn // nil: the other end is a server that answers with what it reads
}

func (c *conn) records() bool { return c.network == "unixpacket" }

func (g *planner) conn(n byte, fit func(c *conn) bool) *conn { return pick(g.conns, n, fit) }

// pick returns the n-th of those that fit, modulo their number, or nil.
func pick[T any](all []*T, n byte, fit func(v *T) bool) *T {
	var good []*T
	for _, v := range all {
		if fit == nil || fit(v) {
			good = append(good, v)
		}
	}
	if len(good) == 0 {
		return nil
	}
	return good[int(n)%len(good)]
}

func without[T any](all []*T, v *T) []*T {
	rest := all[:0:0]
	for _, w := range all {
		if w != v {
			rest = append(rest, w)
		}
	}
	return rest
}

var streamNetworks = []string{"unix", "unix", "tcp", "tcp", "tcp", "unixpacket"}

const forRecords = 5 // of them

func planListen(g *planner, r record) {
	if len(g.listeners) >= 3 {
		planPair(g, r)
		return
	}
	g.listen(r)
}

func (g *planner) listen(r record) *listener {
	ln := &listener{id: g.object(), network: streamNetworks[int(r.x)%len(streamNetworks)]}
	g.listeners = append(g.listeners, ln)
	a := g.actor(r.actor)
	ln.on = g.holds(a, r.y>>1)
	g.do(a, listen, Step{O: ln.id, Name: ln.network, N: makes(ln.on, int(r.y))}, own(&ln.life)...)
	return ln
}

// planPair makes a connection: one actor dials and another accepts, in any order.
func planPair(g *planner, r record) {
	if len(g.conns) >= 8 {
		planWrite(g, r)
		return
	}
	ln := pick(g.listeners, r.object, nil)
	if ln == nil {
		ln = g.listen(r)
	}
	if ln.served {
		g.client(r, ln)
		return
	}
	a, b := g.actor(r.actor), g.caller(ln.on, r.actor+r.y)
	up, down := &direction{id: g.stream()}, &direction{id: g.stream()}
	c := &conn{id: g.object(), on: g.holds(a, r.y>>3), network: ln.network, in: down, out: up}
	d := &conn{id: g.object(), on: ln.on, network: ln.network, in: up, out: down, peer: c}
	c.peer = d
	dial := func() {
		g.do(a, dial, Step{O: c.id, P: ln.id, Name: ln.network, N: makes(c.on, int(r.y>>1))},
			append(own(&ln.dials, &c.life), share(&ln.life))...)
	}
	dial()
	// The next dial is ordered after this accept, so that it is known which dial an accept belongs to.
	g.do(b, accept, Step{O: d.id, P: ln.id, How: int(r.y>>2) % 2},
		append(own(&ln.accepts, &d.life), share(&ln.life))...)
	g.mark(b, own(&ln.dials)...)
	g.conns = append(g.conns, c, d)
}

// planServe makes a server answer on a listener.
func planServe(g *planner, r record) {
	ln := pick(g.listeners, r.object, func(ln *listener) bool { return !ln.served && ln.network != "unixpacket" })
	if ln == nil {
		if len(g.listeners) < 3 {
			g.listen(r)
		}
		return
	}
	how := int(r.y) % len(serveWays)
	g.do(g.caller(ln.on, r.actor), serve, Step{O: ln.id, How: how, Name: serveWays[how]},
		own(&ln.life, &ln.accepts, &ln.dials)...)
	ln.served = true
	g.client(r, ln)
}

// client dials a server.
func (g *planner) client(r record, ln *listener) {
	c := &conn{id: g.object(), network: ln.network, in: &direction{id: g.stream()}, out: &direction{id: g.stream()}}
	a := g.actor(r.actor)
	c.on = g.holds(a, r.y>>3)
	g.do(a, dial, Step{O: c.id, P: ln.id, Name: ln.network, N: makes(c.on, int(r.y>>1))},
		append(own(&ln.dials, &c.life), share(&ln.life))...)
	ln.clients = append(ln.clients, c)
	g.conns = append(g.conns, c)
}

// closeListener closes a listener and ends its server, after its clients have been closed.
func (g *planner) closeListener(a int, ln *listener) {
	uses := own(&ln.life, &ln.accepts, &ln.dials)
	for _, c := range ln.clients {
		if at := pick(g.conns, 0, func(d *conn) bool { return c == d }); at != nil {
			g.close(g.caller(c.on, byte(a)), c, 0)
		}
		uses = append(uses, own(&c.life)...)
	}
	g.do(a, closeListener, Step{O: ln.id}, uses...)
	g.listeners = without(g.listeners, ln)
}

// answered returns where the bytes that are written to c are read: by the peer, or by c itself if a server answers.
func (c *conn) answered() (*conn, *direction) {
	if c.peer == nil {
		return c, c.in
	}
	return c.peer, c.out
}

// writing returns what a write uses. A write to a server is also one to the direction of its answer.
func (c *conn) writing() []use {
	uses := append(own(&c.out.w), share(&c.life))
	if c.peer == nil {
		uses = append(uses, own(&c.in.w)...)
	}
	return uses
}

// reading returns what a read uses.
func (c *conn) reading() []use { return append(own(&c.in.r), share(&c.life), share(&c.in.event)) }

// alarm returns what setting a read deadline uses, ordered with reads.
func (c *conn) alarm() []use { return append(own(&c.in.event, &c.in.r), share(&c.life)) }

// all returns what a Close uses.
func (c *conn) all() []use { return own(&c.life, &c.in.r, &c.in.event, &c.out.w) }

func (c *conn) room() int {
	_, d := c.answered()
	return d.room()
}

// room returns how many bytes can be written although no reader reads.
func (d *direction) room() int {
	if len(d.flying) >= piecesMax {
		return 0
	}
	return flyingMax - total(d.flying)
}

func canWrite(c *conn) bool { return !c.out.shut && !c.out.broken }

func planWrite(g *planner, r record) {
	c := g.conn(r.object, func(c *conn) bool { return canWrite(c) && c.room() > 0 })
	if c == nil {
		if c = g.conn(r.object, func(c *conn) bool { return len(c.in.flying) > 0 }); c != nil {
			planRead(g, r)
		} else if len(g.conns) < 2 {
			planPair(g, r)
		}
		return
	}
	g.write(g.caller(c.on, r.actor), c, min(size(r.x), c.room()), int(r.y))
}

// size turns a byte into a length: often a small one, sometimes one around a limit in the code.
func size(b byte) int {
	switch {
	case b < 100:
		return 1 + int(b)
	case b < 160:
		return 16 * int(b-95)
	case b < 170:
		return 4090 + int(b-160)
	case b < 240:
		return 50 * int(b-160)
	}
	return 8180 + 2*int(b-240)
}

func (g *planner) write(a int, c *conn, n, how int) {
	seg := segment{c.out.id, c.out.at, n}
	c.out.at += n
	_, d := c.answered()
	d.flying = append(d.flying, seg)
	if c.records() {
		how = 0
	}
	g.do(a, write, Step{O: c.id, How: how % len(writeWays), Name: writeWays[how%len(writeWays)], Segs: []segment{seg}},
		c.writing()...)
}

// take makes a reader read n of the bytes that are on their way.
func (d *direction) take(n int) (segs []segment) {
	for n > 0 {
		s := &d.flying[0]
		k := min(n, s.N)
		segs = append(segs, segment{s.Stream, s.At, k})
		s.At, s.N, n = s.At+k, s.N-k, n-k
		if s.N == 0 {
			d.flying = d.flying[1:]
		}
	}
	return segs
}

func planRead(g *planner, r record) {
	c := g.conn(r.object, func(c *conn) bool { return len(c.in.flying) > 0 })
	if c == nil {
		if c = g.conn(r.object, func(c *conn) bool { return canWrite(c) && c.room() > 0 }); c != nil {
			planWrite(g, r)
		}
		return
	}
	a := g.caller(c.on, r.actor)
	if c.records() {
		g.read(a, c, c.in.flying[0].N, recordWay)
		return
	}
	n := total(c.in.flying)
	switch how := int(r.y) % readWays; how {
	case peekWay: // it consumes nothing
		n = 1 + int(r.x)%n
		segs := append([]segment(nil), c.in.flying...)
		d := direction{flying: segs}
		g.do(a, peek, Step{O: c.id, Segs: d.take(n)}, c.reading()...)
	case nextWay: // it takes all that is there, so nothing more may come meanwhile
		g.after(a, own(&c.in.w)...)
		g.read(a, c, n, how)
		g.mark(a, own(&c.in.w)...)
	default:
		if r.x%4 > 0 {
			n = 1 + int(r.x)*n/256
		}
		g.read(a, c, n, how)
	}
}

func (g *planner) read(a int, c *conn, n, how int) {
	piece := max(1+n*7%4000, n/500)
	if c.on != 0 { // many ReadFulls: more than may end in one turn
		piece = 1 + n/300
	}
	g.do(a, read, Step{O: c.id, How: how, Name: readNames[how], N: piece, Segs: c.in.take(n)}, c.reading()...)
}

// planBigWrite makes one actor write more than a socket takes while another reads it.
func planBigWrite(g *planner, r record) {
	c := g.conn(r.object, func(c *conn) bool { return canWrite(c) && !c.records() })
	if c == nil {
		planPair(g, r)
		return
	}
	a := g.caller(c.on, r.actor)
	reader, d := c.answered()
	b, ok := g.second(reader.on, a, r.x)
	if !ok {
		return
	}
	// Once the write has begun, neither actor may have to wait for the other.
	g.after(b, reader.reading()...)
	g.after(a, c.writing()...)
	g.write(a, c, 20_000+int(r.x)*1000, int(r.y)%bigWays)
	how := int(r.y>>3) % readWays
	if how == peekWay || how == peekedWay || how == nextWay {
		how = 0
	}
	g.read(b, reader, total(d.flying), how)
}

// finish closes what is open, or leaves it to the stop of its loop.
func (g *planner) finish(stops bool) {
	k := 0
	next := func() int { k++; return k % len(g.plan.Callers) }
	for _, c := range append([]*conn(nil), g.conns...) {
		a := g.caller(c.on, byte(next()))
		if stops && c.on != 0 && c.peer != nil {
			g.drain(a, c)
		} else {
			g.close(a, c, 0)
		}
	}
	for _, ln := range append([]*listener(nil), g.listeners...) {
		if a := g.caller(ln.on, byte(next())); !stops || ln.on == 0 || ln.served {
			g.closeListener(a, ln)
		}
	}
	for _, p := range append([]*packet(nil), g.packets...) {
		g.do(next(), closePacket, Step{O: p.id}, own(&p.life, &p.r, &p.w, &p.event)...)
	}
	for _, f := range append([]*handle(nil), g.files...) {
		g.do(next(), closeFile, Step{O: f.id}, own(&f.life)...)
	}
	for _, p := range append([]*pipe(nil), g.pipes...) {
		g.endPipe(next(), next(), p)
	}
	if stops {
		g.stop()
	}
}
