//go:build linux

package socktest

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync/atomic"
	"testing"
	"time"

	"ringo"
	"ringo/file"
	"ringo/internal/driver/open"
	"ringo/internal/loop"
	"ringo/internal/test/drivertest"
	"ringo/sim"
	"ringo/sock"
)

// simulated is the place in a simulated world. A task of a loop of its own runs the cell and uses the peers.
type simulated struct {
	w          *sim.World
	here, away *sim.Host   // the hosts of the handles and of the peers
	l          *ringo.Loop // the loop whose task runs the cell
	stormy     bool
	names      int
}

// inWorld runs a cell in the world of a seed, in a storm if there is one. The peers are on another host if the network
// reaches one.
func inWorld(t testing.TB, seed uint64, n *network, drains bool, storm *Storm,
	cell func(w *runs) (ended bool, err error)) {
	sim.Run(t, seed, func(w *sim.World) {
		s := &simulated{w: w, here: w.Host("here")}
		if s.away = s.here; n != nil && n.routed() {
			s.away = w.Host("away")
		}
		grace := time.Duration(-1)
		if drains {
			grace = time.Hour
		}
		s.here.Disk = sim.Disk{Latency: 20 * time.Microsecond, Sync: 100 * time.Microsecond}
		if s.stormy = storm != nil; s.stormy {
			defer func() { storm.came.Add(int64(len(w.Faults()))) }()
			s.storm(n == nil || n.packets)
		} else if seed > 1 { // no faults beyond what every program has to expect
			w.Link = sim.Link{Latency: 20 * time.Microsecond, Split: 0.2}
			if n != nil && !n.packets { // datagrams would overtake each other
				w.Link.Jitter = 300 * time.Microsecond
			}
			s.here.Calls.ShortSend, s.away.Calls.ShortSend = 0.1, 0.1
			s.here.Disk.Jitter = time.Millisecond
		}
		all := &runs{s, s.newRun(grace), s.newRun(-1)}
		w.Check(w.Wait(s.away.Run(nil, func(l *ringo.Loop) error {
			s.l = l
			ended, err := cell(all)
			var hung *hang
			if errors.As(err, &hung) {
				return err // a call that hangs can't be ended
			}
			if err = errors.Join(err, all.other.end()); !ended {
				err = errors.Join(err, all.home.end())
			}
			return err
		})))
	})
}

// newRun starts a Run. Only the world's script may call it.
func (s *simulated) newRun(grace time.Duration) *run {
	opening.Lock()
	defer opening.Unlock()
	var mortal drivertest.Mortal
	undo := open.Through(mortal.Wrap)
	defer undo()
	cfg := config(grace)
	r := new(run)
	left := ringo.NewChan[struct{}](0)
	p := s.here.Run(&cfg, func(l *ringo.Loop) error {
		r.l, r.driver = l, mortal.Of((*loop.Loop)(l).Ops())
		left.Recv() // until it is closed, or the Run ends
		return nil
	})
	if !s.w.RunUntil(time.Second, func() bool { return r.l != nil }) {
		s.w.Errorf("a Run does not begin: %v", p.Err())
	}
	r.cancel, r.err, r.ended = p.Drain, p.Err, condition{s, p.Ended}
	if grace > 0 {
		r.leave = left.Close
	}
	return r
}

// condition is an awaited that holds once done returns true.
type condition struct {
	s    *simulated
	done func() bool
}

// await checks the condition again and again, at growing intervals of at most 1 ms: nothing announces the change.
func (c condition) await() error {
	end := c.s.now().Add(virtualMax)
	for nap := 5 * time.Microsecond; !c.done(); nap = min(2*nap, time.Millisecond) {
		if c.s.now().After(end) {
			return fmt.Errorf("not within %v of the world's time", virtualMax)
		}
		c.s.pass(nap)
	}
	return nil
}

// flag is a latch for tasks and goroutines.
type flag struct {
	condition
	opened atomic.Bool
}

func (f *flag) open() { f.opened.Store(true) }

func (s *simulated) latch() latch {
	f := new(flag)
	f.condition = condition{s, f.opened.Load}
	return f
}

func (s *simulated) guard() guard {
	m := new(ringo.Mutex)
	return &struct {
		*ringo.Mutex
		*ringo.Cond
	}{m, ringo.NewCond(m)}
}

func (s *simulated) begin(l *ringo.Loop, f func()) {
	if l == nil {
		l = s.l
	}
	l.Go(f)
}

// by makes a task of a loop run f, and waits for it.
func (s *simulated) by(l *ringo.Loop, what string, f func() error) (err error) {
	done := s.latch()
	s.begin(l, func() { defer done.open(); err = f() })
	if hung := within(what, done); hung != nil {
		return hung
	}
	return err
}

func (s *simulated) pass(d time.Duration) { s.l.Sleep(d) }
func (s *simulated) now() time.Time       { return s.w.Now() }

// closes is false: only tasks of its loop could close a handle, and a loop that has ended has none.
func (s *simulated) closes() bool { return false }

func (s *simulated) another(k *caller) *caller {
	if k == callers[0] {
		return callers[1]
	}
	return callers[0]
}

func (s *simulated) stand(r *run, until time.Time, f func() error, meanwhile func()) error {
	err := s.by(r.l, "a task that holds its loop", func() error {
		err := f()
		s.here.Pause(until.Sub(s.now()))
		return err
	})
	if meanwhile != nil {
		meanwhile()
	}
	s.pass(until.Sub(s.now()))
	return err
}

// address returns an address for a socket of the network on host h.
func (s *simulated) address(n *network, h *sim.Host) string {
	if n.routed() {
		return net.JoinHostPort(h.Addr().String(), "0")
	}
	s.names++
	return fmt.Sprint("@socktest-", s.names)
}

func (s *simulated) listens(n *network) string { return s.address(n, s.here) }

func (s *simulated) dial(network, address string) (io.Closer, error) {
	return (&sock.Dialer{Timeout: virtualMax}).Dial(s.l, network, address)
}

// remote is a file.File of tasks of another loop than the cell's.
type remote struct {
	*file.File
	s *simulated
	w *runs
}

func (r *remote) Close() error { return r.s.by(r.w.other.l, "Close of a file", r.File.Close) }

func (s *simulated) source(w *runs, at, size int) (source, error) {
	var f *file.File
	err := s.by(w.other.l, "a file", func() (err error) {
		if f, err = file.CreateTemp("", "socktest"); err == nil {
			err = fillFile(f, at, size)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return &remote{f, s, w}, nil
}

func (s *simulated) connect(w *runs, n *network, full, loose bool) (e *ends, err error) {
	e = new(ends)
	home := w.home.l
	switch n.name {
	case "tcp", "unix", "unixpacket":
		err = s.stream(e, home, n)
	case "pipe":
		err = s.by(home, "a pipe", func() error {
			a, b, err := sock.Pipe(home)
			if err != nil {
				return err
			}
			e.c = a
			e.peer, err = b.MoveTo(s.l)
			return err
		})
	case "udp":
		err = s.udp(e, home, n, loose)
	case "unixgram":
		err = s.unixgram(e, home, n, loose)
	default:
		err = fmt.Errorf("network %s in a simulated world", n.name)
	}
	if err != nil {
		return nil, err
	}
	if full && n.fills() {
		if err = s.by(home, "filling", func() error { return s.fill(home, e, n, loose) }); err != nil {
			return nil, err
		}
	}
	return e, e.peer.SetDeadline(s.now().Add(virtualMax))
}

// stream makes a connection; the seed decides which side dials.
func (s *simulated) stream(e *ends, home *ringo.Loop, n *network) error {
	listens, dials, at := s.l, home, s.away
	if s.w.Rand().IntN(2) == 0 {
		listens, dials, at = home, s.l, s.here
	}
	var ln *sock.Listener
	err := s.by(listens, "Listen", func() (err error) {
		ln, err = sock.Listen(listens, n.name, s.address(n, at))
		return err
	})
	if err != nil {
		return err
	}
	var dialed, accepted *sock.Conn
	var dialErr error
	over := s.latch()
	s.begin(dials, func() {
		defer over.open()
		dialed, dialErr = (&sock.Dialer{Timeout: virtualMax}).Dial(dials, n.name, ln.Addr().String())
	})
	err = s.by(listens, "Accept", func() (err error) {
		accepted, err = ln.AcceptConn()
		return errors.Join(err, ln.Close())
	})
	if err = errors.Join(err, within("Dial", over), dialErr); err != nil {
		return err
	}
	ours, peer := dialed, accepted
	if dials != home {
		ours, peer = accepted, dialed
	}
	e.c, e.peer = ours, peer
	if n.name != "tcp" {
		return nil
	}
	return errors.Join(peer.SetReadBuffer(1<<16), s.by(home, "SetWriteBuffer", func() error {
		return ours.SetWriteBuffer(1 << 16)
	}))
}

func (s *simulated) udp(e *ends, home *ringo.Loop, n *network, loose bool) error {
	peer, err := sock.ListenPacket(s.l, "udp", s.address(n, s.away))
	if err != nil {
		return err
	}
	e.peer, e.to = peer, peer.LocalAddr()
	return s.by(home, "a socket", func() error {
		var c *sock.PacketConn
		if loose {
			c, err = sock.ListenPacket(home, "udp", s.address(n, s.here))
		} else {
			c, err = sock.DialPacket(home, "udp", e.to.String())
		}
		if err == nil {
			e.c, e.from = c, c.LocalAddr()
		}
		return err
	})
}

func (s *simulated) unixgram(e *ends, home *ringo.Loop, n *network, loose bool) error {
	peer, err := sock.ListenUnixgram(s.l, s.address(n, s.away))
	if err != nil {
		return err
	}
	e.peer, e.to = peer, peer.LocalAddr()
	return s.by(home, "a socket", func() error {
		var c *sock.UnixPacketConn
		name := s.address(n, s.here)
		if loose {
			c, err = sock.ListenUnixgram(home, name)
		} else {
			d := sock.Dialer{LocalAddr: &net.UnixAddr{Name: name, Net: "unixgram"}}
			c, err = d.DialUnixgram(home, e.to.(*net.UnixAddr).Name)
		}
		if err == nil {
			e.c, e.from = c, c.LocalAddr()
		}
		return err
	})
}

// fill makes the handle send the stream until nothing more fits: it takes a write that finds no room for 1 ms as proof.
// A task of the handle's loop calls it. It yields before each datagram, so that each is sent in a turn of its own: a
// write that waits for its turn while the host stands still would find its deadline over without having looked for
// room. A stream does not yield: it would fill more buffers than its peer can empty in time.
func (s *simulated) fill(home *ringo.Loop, e *ends, n *network, loose bool) error {
	if c, ok := e.c.(*sock.Conn); ok {
		c.SetBatching(false)
		defer c.SetBatching(true)
	}
	sizes := []int{4096, 1}
	if n.records {
		sizes = []int{recordSize}
	}
	for _, size := range sizes {
		for {
			if n.packets {
				home.Yield()
			}
			e.c.SetWriteDeadline(s.now().Add(time.Millisecond))
			var k int
			var err error
			if loose {
				k, err = e.c.(net.PacketConn).WriteTo(stream(e.in, size), e.to)
			} else {
				k, err = e.c.Write(stream(e.in, size))
			}
			if e.in += k; errors.Is(err, os.ErrDeadlineExceeded) {
				break
			} else if err != nil {
				return err
			}
		}
	}
	return e.c.SetWriteDeadline(time.Time{})
}

func (s *simulated) disk() disk               { return disk{file.ReadFile, file.WriteFile} }
func (s *simulated) folder(*testing.T) string { return "/data" }

func (s *simulated) newPipe(writes bool) (*pipeEnds, error) {
	r, w, err := file.Pipe()
	if err != nil {
		return nil, err
	}
	if !writes {
		return &pipeEnds{ours: r, other: w}, w.SetDeadline(s.now().Add(virtualMax))
	}
	p := &pipeEnds{ours: w, other: r}
	for _, size := range []int{4096, 1} {
		for err = nil; err == nil; {
			w.SetWriteDeadline(s.now().Add(time.Millisecond))
			var n int
			n, err = w.Write(stream(p.in, size))
			p.in += n
		}
		if !errors.Is(err, os.ErrDeadlineExceeded) {
			return nil, err
		}
	}
	return p, errors.Join(w.SetWriteDeadline(time.Time{}), r.SetDeadline(s.now().Add(virtualMax)))
}
