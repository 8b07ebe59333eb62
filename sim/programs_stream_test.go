package sim_test

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"time"

	"ringo"
	"ringo/buf"
	"ringo/internal/posix"
	"ringo/sock"
)

// stream is one direction of a connection, whose bytes follow from its number.
type stream struct {
	id      uint64
	written int // bytes that calls have said went out
	under   int // bytes of the call that is under way
	read    int
	ended   bool // nobody writes any more
}

func (s *stream) at(i int) byte { return byte((s.id<<32 + uint64(i) + 1) * 0x9e3779b97f4a7c15 >> 56) }

// fill makes bytes that are the next ones to be written.
func (s *stream) fill(n int) []byte {
	p := make([]byte, n)
	for i := range p {
		p[i] = s.at(s.written + i)
	}
	return p
}

// check compares bytes from an offset on.
func (s *stream) check(p []byte, from int) error {
	for i := range p {
		if want := s.at(from + i); p[i] != want {
			return fmt.Errorf("stream %d: byte %d of %d from %d on is %#x, want %#x", s.id, i, len(p), from, p[i], want)
		}
	}
	if from+len(p) > s.written+s.under {
		return fmt.Errorf("stream %d: %d bytes have come, and %d and %d were written", s.id, from+len(p), s.written,
			s.under)
	}
	return nil
}

// connection is one, with both its ends.
type connection struct {
	id   uint32
	ends [2]*end // the one that dialled, the one that accepted
	gone bool    // one of them was closed, or its host is gone
	// One of them was closed with unread bytes, or written to since, or closed so that nothing is sent any more. The
	// kernel tells each end of it once: where a write was told, reads find an end.
	reset bool
}

// end is one of the two ends of a connection.
type end struct {
	k       *worker // who lives with it
	pair    *connection
	c       *sock.Conn
	in, out *stream
	gone    bool // closed, or moved to another loop
	peeks   bool // one reader, which looks at bytes in place
	greedy  bool // nobody reads
	wasRead bool
	// The deadlines, since the world began; 0: none. moved counts how often they were.
	readBy, writeBy time.Duration
	moved           int
	limited         bool // there has been one
}

// accepts takes connections.
func (k *worker) accepts(ln *sock.Listener) {
	for {
		var c *sock.Conn
		err := k.call("accept", 0, func() (err error) { c, err = ln.AcceptConn(); return err },
			only(net.ErrClosed))
		if err != nil {
			return
		}
		k.begin(k.anyLoop(), func(k *worker) {
			var head [4]byte
			err := k.call("the first read", 5*time.Second, func() error {
				_, err := io.ReadFull(c, head[:])
				return err
			}, only(io.EOF, io.ErrUnexpectedEOF, posix.ECONNRESET, posix.ETIMEDOUT, posix.EHOSTUNREACH))
			pr := k.p().pairs[binary.BigEndian.Uint32(head[:])]
			if err != nil || pr == nil {
				c.Close()
				return
			}
			k.lives(pr, 1, c)
		})
	}
}

// dials makes connections, one after the other.
func (k *worker) dials() {
	p := k.p()
	for !p.over && k.pause() == nil {
		network, address := "tcp", p.nodes[p.rand.IntN(2)].h.Name()+":7000"
		switch p.rand.IntN(6) {
		case 0:
			network, address = "unix", "/tmp/socket"
		case 1:
			address = "10.0.0.9:7000" // where nobody is
		case 2:
			address = p.nodes[p.rand.IntN(2)].h.Addr().String() + ":7000"
		}
		var c *sock.Conn
		done := false
		limit := p.upTo(2*time.Second) + time.Millisecond
		on := k.anyLoop()
		dial := func(k *worker) {
			defer func() { done = true }()
			k.call("dial "+address, limit, func() (err error) {
				c, err = sock.Dial(on, network, address)
				return err
			}, only(posix.ECONNREFUSED, posix.ECONNRESET, posix.ETIMEDOUT, posix.ENOENT, posix.EHOSTUNREACH,
				posix.ENETUNREACH))
		}
		if p.chance(3) {
			limit = 0
			task := k.child(dial)
			for begun := p.w.Elapsed(); !done; {
				if p.w.Elapsed()-begun > 500*time.Millisecond || k.n.ends {
					task.cancel()
				}
				if k.sleep(time.Millisecond) != nil { // as it is where the task's loop has ended
					task.cancel()
					break
				}
			}
			task.task.Wait()
		} else {
			dial(k)
		}
		if c == nil {
			continue
		}
		pr := &connection{id: p.rand.Uint32()}
		p.pairs[pr.id] = pr
		head := binary.BigEndian.AppendUint32(nil, pr.id)
		if _, err := c.Write(head); err != nil {
			c.Close()
			continue
		}
		k.lives(pr, 0, c)
	}
}

// lives is the life of an end.
func (k *worker) lives(pr *connection, side int, c *sock.Conn) {
	e := &end{k: k, pair: pr, c: c, peeks: k.p().chance(2), greedy: k.p().chance(6)}
	id := uint64(pr.id) << 1
	if other := pr.ends[1-side]; other != nil {
		e.in, e.out = other.out, other.in
	} else {
		e.in, e.out = &stream{id: id + uint64(1-side)}, &stream{id: id + uint64(side)}
	}
	pr.ends[side] = e
	e.live()
}

// live has tasks use the end until it is closed, or moves to where it lives on.
func (e *end) live() {
	k := e.k
	var tasks []*ringo.Task
	begin := func(fn func(k *worker)) { tasks = append(tasks, k.begin(k.anyLoop(), fn)) }
	if !e.greedy {
		begin(func(k *worker) { e.again(k, e.reads) })
		if !e.peeks {
			begin(func(k *worker) { e.again(k, e.reads) })
		}
	}
	begin(func(k *worker) { e.again(k, e.writes) })
	moved := e.disturb()
	for _, t := range tasks {
		t.Wait()
	}
	if moved != nil {
		k.begin(moved.c.Loop(), func(k *worker) { moved.k = k; moved.live() })
	}
}

// again has fn, which reads or writes until that makes no sense any more, run in a task that is cancelled now and then.
func (e *end) again(k *worker, fn func(k *worker) (more bool)) {
	for more := true; more && !e.gone && !k.n.ends; {
		ended := false
		t := k.child(func(k *worker) { defer func() { ended = true }(); more = fn(k) })
		for at := k.p().upTo(2 * time.Second); !ended && at > 0 && !k.n.ends; at -= 50 * time.Millisecond {
			if k.sleep(50*time.Millisecond) != nil {
				break
			}
		}
		if !ended {
			t.cancel()
		}
		t.task.Wait()
	}
}

// may are the errors that calls on the end may have now, beside those of their own.
func (e *end) may(own []error) []error {
	may := append([]error(nil), own...)
	if e.gone || e.k.n.ends {
		may = append(may, net.ErrClosed)
	}
	if e.limited {
		may = append(may, os.ErrDeadlineExceeded)
	}
	if e.pair.gone || e.k.p().rough || e.gone || e.pair.ends[1] == nil {
		may = append(may, posix.ECONNRESET, posix.EPIPE, posix.ETIMEDOUT, posix.ECONNABORTED,
			posix.EHOSTUNREACH)
	}
	if e.out.ended {
		may = append(may, posix.EPIPE)
	}
	return may
}

// use makes a call on the end. by is the deadline that counts.
func (e *end) use(k *worker, what string, by *time.Duration, fn func() error, own ...error) error {
	p := k.p()
	limit := time.Duration(0)
	if p.chance(3) {
		limit = p.upTo(time.Second) + time.Microsecond
	}
	begun, at, moved := p.w.Elapsed(), *by, e.moved
	err := k.call(what, limit, fn, func() []error { return e.may(own) })
	if now := p.w.Elapsed(); at != 0 && moved == e.moved && now > max(begun, at)+slack {
		p.w.Errorf("%s: %s with a deadline at %v has taken from %v to %v: %v", k.n.h.Name(), what, at, begun, now, err)
	}
	return err
}

// ends reports whether an error is the end of a direction, or of the task.
func ends(err error) bool {
	return err != nil && !errors.Is(err, os.ErrDeadlineExceeded) && !errors.Is(err, context.DeadlineExceeded)
}

// reads reads for a while. More is false if there is nothing more to come.
func (e *end) reads(k *worker) (more bool) {
	p := k.p()
	for !e.gone {
		e.wasRead = true
		var err error
		switch n := p.rand.IntN(8); {
		case n < 3:
			err = e.read(k)
		case n == 3:
			err = e.readV(k)
		case n == 4:
			err = e.discard(k, 1+p.rand.IntN(5000))
		case n == 5:
			err = e.next(k)
		case e.peeks:
			err = e.peek(k)
		default:
			err = e.read(k)
		}
		if ends(err) {
			return errors.Is(err, context.Canceled)
		}
		if p.chance(20) && k.pause() != nil {
			return true
		}
	}
	return false
}

// took is told what a read has given.
func (e *end) took(k *worker, what string, got []byte, err error) {
	if wrong := e.in.check(got, e.in.read); wrong != nil {
		k.p().w.Errorf("%s: %s: %v (error %v)", k.n.h.Name(), what, wrong, err)
	}
	e.counts(k, what, len(got), err)
}

// counts is took where nobody has the bytes.
func (e *end) counts(k *worker, what string, n int, err error) {
	s := e.in
	s.read += n
	switch {
	case s.read > s.written+s.under:
		k.p().w.Errorf("%s: %s: %d bytes have come, and %d and %d were written", k.n.h.Name(), what, s.read, s.written,
			s.under)
	case err == io.EOF && !s.ended && !k.p().rough && !e.pair.gone:
		k.p().w.Errorf("%s: %s: stream %d ends, and nobody has ended it", k.n.h.Name(), what, s.id)
	case err == io.EOF && s.read < s.written && !k.p().rough && !e.pair.reset:
		k.p().w.Errorf("%s: %s: stream %d ends behind %d bytes, and %d were written; the other way %d of %d and %d",
			k.n.h.Name(), what, s.id, s.read, s.written, e.out.read, e.out.written, e.out.under)
	}
}

func (e *end) read(k *worker) (err error) {
	p := make([]byte, 1+k.p().rand.IntN(3000))
	n := 0
	return e.use(k, "Read", &e.readBy, func() error {
		if n, err = e.c.Read(p); n == 0 && err == nil {
			k.p().w.Errorf("Read gives nothing, and no error")
		}
		e.took(k, "Read", p[:n], err)
		return err
	}, io.EOF)
}

func (e *end) readV(k *worker) error {
	var parts [][]byte
	for range 1 + k.p().rand.IntN(12) {
		parts = append(parts, make([]byte, k.p().rand.IntN(600)))
	}
	parts = append(parts, make([]byte, 1))
	return e.use(k, "ReadV", &e.readBy, func() error {
		n, err := e.c.ReadV(parts)
		if n == 0 && err == nil {
			k.p().w.Errorf("ReadV gives nothing, and no error")
		}
		var got []byte
		for _, b := range parts {
			got = append(got, b...)
		}
		e.took(k, "ReadV", got[:n], err)
		return err
	}, io.EOF)
}

func (e *end) discard(k *worker, n int) error {
	return e.use(k, "Discard", &e.readBy, func() error {
		done, err := e.c.Discard(n)
		if done != n && err == nil || done > n {
			k.p().w.Errorf("Discard of %d gives %d and no error", n, done)
		}
		e.counts(k, "Discard", done, err)
		return err
	}, io.EOF)
}

// next holds a lease for a while, whatever becomes of the connection meanwhile.
func (e *end) next(k *worker) error {
	var lease buf.Lease
	got, from := 0, 0
	err := e.use(k, "Next", &e.readBy, func() (err error) {
		if lease, err = e.c.Next(); err != nil {
			e.counts(k, "Next", 0, err)
			return err
		}
		from, got = e.in.read, len(lease.Bytes())
		e.took(k, "Next", lease.Bytes(), nil)
		return nil
	}, io.EOF)
	if got > 0 {
		if k.p().chance(4) {
			k.pause()
		}
		if wrong := e.in.check(lease.Bytes(), from); wrong != nil {
			k.p().w.Errorf("%s: a lease: %v", k.n.h.Name(), wrong)
		}
		lease.Release()
	}
	return err
}

// peek has bytes in view for a while, and reads some of them.
func (e *end) peek(k *worker) error {
	n := 1 + k.p().rand.IntN(3000)
	var view []byte
	err := e.use(k, "Peek", &e.readBy, func() (err error) {
		view, err = e.c.Peek(n)
		if len(view) != n && err == nil || len(view) > n {
			k.p().w.Errorf("Peek of %d gives %d bytes, and no error", n, len(view))
		}
		if wrong := e.in.check(view, e.in.read); wrong != nil {
			k.p().w.Errorf("%s: Peek: %v", k.n.h.Name(), wrong)
		}
		if err == io.EOF {
			e.counts(k, "Peek", 0, nil)
		}
		return err
	}, io.EOF)
	for range k.p().rand.IntN(3) {
		if k.pause() != nil || e.gone || k.n.ends {
			return err
		}
		if wrong := e.in.check(view, e.in.read); wrong != nil {
			k.p().w.Errorf("%s: what Peek has shown, later: %v", k.n.h.Name(), wrong)
		}
	}
	if len(view) > 0 && !e.gone {
		if err := e.discard(k, 1+k.p().rand.IntN(len(view))); err != nil {
			return err
		}
	}
	return err
}

// writes writes for a while.
func (e *end) writes(k *worker) (more bool) {
	p := k.p()
	for !e.gone && !e.out.ended {
		if err := e.write(k); ends(err) {
			return errors.Is(err, context.Canceled)
		}
		if p.chance(3) && k.pause() != nil {
			return true
		}
	}
	return false
}

// write writes once.
func (e *end) write(k *worker) error {
	s, p := e.out, k.p()
	size := 1 + p.rand.IntN(200)
	switch p.rand.IntN(4) {
	case 0:
		size = 1 + p.rand.IntN(8000)
	case 1:
		size = 1 + p.rand.IntN(60_000)
	}
	data := s.fill(size)
	s.under = size
	e.pair.reset = e.pair.reset || e.pair.gone
	how := p.rand.IntN(4)
	if how == 2 && e.c.Loop() != k.l { // which TryWrite is for
		how = 0
	}
	return e.use(k, [...]string{"Write", "WriteV", "TryWrite", "ReadFrom"}[how], &e.writeBy, func() error {
		var n int
		var err error
		switch how {
		case 0:
			n, err = e.c.Write(data)
		case 1:
			var parts [][]byte
			for rest := data; len(rest) > 0; {
				m := 1 + p.rand.IntN(max(1, size/(1+p.rand.IntN(30))))
				m = min(m, len(rest))
				parts, rest = append(parts, rest[:m:m]), rest[m:]
			}
			n, err = e.c.WriteV(parts)
		case 2:
			n, err = e.c.TryWrite(data)
		case 3:
			var all int64
			all, err = e.c.ReadFrom(&pieces{data})
			n = int(all)
		}
		if n < size && err == nil && how != 2 || n > size {
			p.w.Errorf("%s: a write of %d bytes gives %d and no error", k.n.h.Name(), size, n)
		}
		s.written += n
		s.under = 0
		return err
	})
}

// pieces reads what it has.
type pieces struct{ rest []byte }

func (r *pieces) Read(p []byte) (int, error) {
	if len(r.rest) == 0 {
		return 0, io.EOF
	}
	n := copy(p, r.rest)
	r.rest = r.rest[n:]
	return n, nil
}
