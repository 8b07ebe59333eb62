package differ

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"net"
	"net/netip"
	"sync/atomic"
	"time"

	"ringo"
	"ringo/buf"
	"ringo/file"
	"ringo/internal/loop"
	"ringo/internal/posix"
	"ringo/internal/sys"
	"ringo/internal/test/socktest"
	"ringo/sock"
)

// Ringo runs plans on this module, with a driver.
type Ringo struct {
	Label  string // the name, if it is not the driver's
	Config ringo.Config
}

func (m Ringo) Name() string {
	if m.Label != "" {
		return m.Label
	}
	return m.Config.Driver
}

// Open starts a Run, whose loops wait for plans.
func (m Ringo) Open() (Session, error) {
	cfg := m.Config
	cfg.Loops, cfg.Grace, cfg.StallLimit, cfg.OnPanic = Loops, -1, -1, onPanic
	s := &ringoSession{over: ringo.NewChan[int](0), ended: make(chan struct{})}
	ready := make(chan *ringo.Loop, Loops) // a loop counts no tasks until its first one has begun
	ctx, cancel := context.WithCancel(context.Background())
	s.cancel = cancel
	go func() {
		defer close(s.ended)
		s.err = ringo.Run(ctx, &cfg, func(l *ringo.Loop) error {
			ready <- l
			s.over.Recv()
			return nil
		})
	}()
	for range Loops {
		select {
		case l := <-ready:
			s.l = l.Loops()[0]
		case <-s.ended:
			cancel()
			return nil, s.err
		}
	}
	return s, nil
}

// onPanic accepts planned panics and passes on all others.
func onPanic(_ *ringo.Loop, v any, stack []byte) {
	if v != onPurpose {
		panic(fmt.Sprintf("%v\n%s", v, stack))
	}
}

type ringoSession struct {
	l      *ringo.Loop
	over   *ringo.Chan[int]
	cancel context.CancelFunc
	ended  chan struct{}
	err    error
}

func (s *ringoSession) Ground(p *Plan) (Ground, func(), error) { return system(p) }

func (s *ringoSession) Run(p *Plan, setup func(w World), body func(i int, w World)) error {
	return s.l.Call(func() error { return RunOn(s.l, p.Callers, time.Sleep, setup, body) })
}

// Close ends the Run: in an orderly way, or by a cancel if it does not end, as after a plan that hangs.
func (s *ringoSession) Close() error {
	defer s.cancel()
	s.over.Close()
	for _, end := range []func(){s.cancel, func() {}} {
		select {
		case <-s.ended:
			return s.err
		case <-time.After(10 * time.Second):
			end()
		}
	}
	return errors.New("the Run did not end")
}

// RunOn runs a plan on the loops of l's Run, which must have at least Loops of them. A task of l calls it. A task that
// calls still makes its loop stand still for d. RunOn returns when all actors have returned and everything that they
// opened is gone; the error says what is left.
func RunOn(l *ringo.Loop, callers []Caller, still func(d time.Duration), setup func(w World),
	body func(i int, w World)) error {
	before := inUse(l)
	boards := new([Loops]callbacks)
	for i := range boards {
		boards[i].Turns = len(callers)*7 + int(callers[0].Kind)
	}
	w := &ringoWorld{l, l, still, boards}
	setup(w)
	var all ringo.WaitGroup
	for i, c := range callers {
		all.Add(1)
		on := l.Loops()[c.Loop]
		run := func(self *ringo.Loop) {
			defer all.Done()
			body(i, &ringoWorld{on, self, still, boards})
		}
		switch c.Kind {
		case Task:
			on.GoNamed(fmt.Sprint("a", i), func() { run(on) })
		case Iterator:
			on.Go(func() { inIterator(func() { run(on) }) })
		case Goroutine:
			go run(nil)
		case Offload:
			on.Go(func() { on.Offload(func(context.Context) error { run(nil); return nil }) })
		case Callback:
			on.Go(func() {
				boards[c.Loop].begin(&ringoWorld{on, on, still, boards}, func(w World) {
					defer all.Done()
					body(i, w)
				})
			})
		}
	}
	all.Wait()
	err := settle(l, before)
	for i := range boards {
		err = errors.Join(err, errors.Join(boards[i].Errs...))
	}
	return err
}

func inIterator(f func()) {
	next, stop := iter.Pull(func(yield func(bool) bool) {
		f()
		yield(true)
	})
	defer stop()
	next()
}

// using counts what loops have in use.
type using struct{ tasks, slots, buffers, handles int }

func inUse(l *ringo.Loop) (u using) {
	for _, l := range l.Loops()[:Loops] {
		s := l.Stats()
		u.tasks, u.slots, u.buffers = u.tasks+s.Tasks, u.slots+s.Slots, u.buffers+s.Buffers
		u.handles += len(l.Handles())
	}
	return u
}

// settle waits until no more is in use than before.
func settle(l *ringo.Loop, before using) error {
	var now using
	err := socktest.AwaitOn(l, func() bool {
		now = inUse(l)
		return now.tasks <= before.tasks && now.slots <= before.slots && now.buffers <= before.buffers &&
			now.handles <= before.handles
	})
	if err == nil {
		return nil
	}
	return fmt.Errorf("left behind: %+v in use, %+v before: %w; tasks:%s",
		now, before, err, socktest.TasksOf(l.Loops()))
}

// ringoWorld is the World of one actor: l is its loop; self is l if the actor is a task, else nil.
type ringoWorld struct {
	l, self *ringo.Loop
	still   func(d time.Duration) // called by a task, makes its loop stand still
	boards  *[Loops]callbacks
}

func (w *ringoWorld) loop(i int) *ringo.Loop { return w.l.Loops()[i] }

func (w *ringoWorld) Listen(loop int, network, address string) (Listener, error) {
	l := w.loop(loop)
	ln, err := sock.Listen(l, network, address)
	if errors.Is(err, ringo.ErrNotTask) {
		err = l.Call(func() (err error) {
			ln, err = sock.Listen(l, network, address)
			return err
		})
	}
	if err != nil {
		return nil, err
	}
	return ringoListener{ln}, nil
}

type ringoListener struct{ *sock.Listener }

func (ln ringoListener) Accept(typed bool) (Conn, error) {
	if typed {
		c, err := ln.AcceptConn()
		return conned(c, err)
	}
	c, err := ln.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return ringoConn{c.(*sock.Conn)}, nil
}

func conned(c *sock.Conn, err error) (Conn, error) {
	if err != nil {
		return nil, err
	}
	return ringoConn{c}, nil
}

func (w *ringoWorld) Dial(ctx context.Context, loop int, network, address string) (Conn, error) {
	return conned(new(sock.Dialer).DialContext(ctx, w.loop(loop), network, address))
}

type ringoConn struct{ *sock.Conn }

// ringoLease adapts a buf.Lease, which is a value.
type ringoLease struct{ buf.Lease }

func (c ringoConn) Next() (Lease, error) {
	b, err := c.Conn.Next()
	if err != nil {
		return nil, err
	}
	return ringoLease{b}, nil
}

func (c ringoConn) WriteLease(b Lease) (int, error) { return c.Conn.WriteLease(b.(ringoLease).Lease) }

func (c ringoConn) CopyTo(w io.Writer) (int64, error) {
	if to, ok := w.(ringoConn); ok {
		w = to.Conn
	}
	return io.Copy(w, c.Conn)
}

func (c ringoConn) CopyFrom(r io.Reader) (int64, error) {
	if from, ok := r.(ringoConn); ok {
		r = from.Conn
	}
	return io.Copy(c.Conn, r)
}

// SendFile copies where the kernel can't send the file.
func (c ringoConn) SendFile(head []byte, f File, off, n int64) (int, error) {
	k, err := c.Conn.SendFile(head, f.(ringoFile).File, off, n)
	if errors.Is(err, errors.ErrUnsupported) {
		m, err := c.CopyFrom(io.NewSectionReader(f, off, n))
		return int(m), err
	}
	return k, err
}

// TryWrite is for tasks of the connection's loop. Other callers use Write, as on package net.
func (c ringoConn) TryWrite(p []byte) (int, error) {
	n, err := c.Conn.TryWrite(p)
	if errors.Is(err, ringo.ErrNotTask) {
		return c.Conn.Write(p)
	}
	return n, err
}

func (c ringoConn) MoveTo(loop int) (Conn, error) {
	old := c.Conn
	moved, err := old.MoveTo(old.Loop().Loops()[loop])
	if err == nil && moved != old {
		if _, err := old.Read(make([]byte, 1)); !errors.Is(err, net.ErrClosed) {
			return nil, fmt.Errorf("the Conn that was moved reads on: %w", err)
		}
	}
	return conned(moved, err)
}

// Leave only reads the unread bytes in a simulated world, whose descriptors can't leave it.
func (c ringoConn) Leave(to, n int, offload func(f func() error) error) (p []byte, back Conn, err error) {
	var left net.Conn
	if c.LocalAddr().Network() == "tcp" {
		left, p, err = c.DetachTCP()
	} else {
		left, p, err = c.DetachUnix()
	}
	if errors.Is(err, errors.ErrUnsupported) && !(*loop.Loop)(c.Loop()).World().Beside() {
		p = make([]byte, n)
		n, err = io.ReadFull(c, p)
		return p[:n], c, err
	}
	if err != nil {
		return p, nil, err
	}
	if len(p) > n {
		return p, nil, fmt.Errorf("%d bytes are unread", len(p))
	}
	l := c.Loop().Loops()[to]
	rest := make([]byte, n-len(p))
	err = offload(func() error {
		_, err := io.ReadFull(left, rest)
		return err
	})
	if err != nil {
		left.Close()
		return p, nil, err
	}
	adopted, err := sock.Adopt[*sock.Conn](l, left, nil)
	back, err = conned(adopted, err)
	return append(p, rest...), back, err
}

// Serve runs sock.Serve in a task of its own, and checks that each connection that was opened is closed in the end.
func (w *ringoWorld) Serve(ln Listener, how int) (stop func() error) {
	var opened, closed atomic.Int64
	h := &sock.Handler{
		Open: func(*sock.Conn) error { opened.Add(1); return nil },
		Request: func(c *sock.Conn) error {
			for {
				if err := answer(ringoConn{c}, how); err != nil || c.Buffered() == 0 {
					return err // unread bytes that are here already would be shown again only when more come
				}
			}
		},
		Closed: func(*sock.Conn, error) { closed.Add(1) },
	}
	on := ln.(ringoListener).Listener
	var err error
	t := on.Loop().Go(func() { err = sock.Serve(on.Loop(), on, h) })
	return func() error {
		if failed := t.Wait(); failed != nil {
			return failed
		}
		if opened.Load() != closed.Load() {
			return fmt.Errorf("%d connections were opened, and %d closed", opened.Load(), closed.Load())
		}
		return err
	}
}

func (w *ringoWorld) Aside(f func()) { f() }

// Scope uses WithTimeout, WithContext or both, for a task.
func (w *ringoWorld) Scope(how int, f func()) {
	if w.self == nil {
		f()
		return
	}
	g := func() error { f(); return nil }
	if how != inContext {
		inner := g
		g = func() error { return w.self.WithTimeout(time.Hour, inner) }
	}
	if how != inTimeout {
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		w.self.WithContext(ctx, g)
		return
	}
	g()
}

func (w *ringoWorld) DialPacket(loop int, network, address string) (Packet, error) {
	l := w.loop(loop)
	if network == "unixgram" {
		c, err := sock.DialUnixgram(l, address)
		if err != nil {
			return nil, err
		}
		return onePacket{c}, nil
	}
	c, err := sock.DialPacket(l, network, address)
	if err != nil {
		return nil, err
	}
	return batches{c}, nil
}

func (w *ringoWorld) ListenPacket(loop int, network, address string) (Packet, error) {
	l := w.loop(loop)
	if network == "unixgram" {
		c, err := sock.ListenUnixgram(l, address)
		if err != nil {
			return nil, err
		}
		return onePacket{c}, nil
	}
	c, err := sock.ListenPacket(l, network, address)
	if err != nil {
		return nil, err
	}
	return batches{c}, nil
}

// batches sends and reads several datagrams with one call.
type batches struct{ *sock.PacketConn }

func messages(ps [][]byte, to netip.AddrPort) (ms []sock.Message) {
	for _, p := range ps {
		ms = append(ms, sock.Message{Buffers: [][]byte{p}, Addr: to})
	}
	return ms
}

func (c batches) WriteAll(ps [][]byte, addr net.Addr) error {
	n, err := c.WriteBatch(messages(ps, addr.(*net.UDPAddr).AddrPort()))
	return errors.Join(err, errShort(n, len(ps)))
}

func (c batches) ReadAll(n int) (ps [][]byte, err error) {
	for len(ps) < n {
		room := make([][]byte, n-len(ps))
		for i := range room {
			room[i] = make([]byte, 2000)
		}
		ms := messages(room, netip.AddrPort{})
		k, err := c.ReadBatch(ms)
		if err != nil {
			return ps, err
		}
		for i := range k {
			ps = append(ps, room[i][:ms[i].N])
		}
	}
	return ps, nil
}

func (w *ringoWorld) Pipe() (File, File, error) {
	r, wr, err := file.Pipe()
	if err != nil {
		return nil, nil, err
	}
	return ringoFile{r}, ringoFile{wr}, nil
}

func (w *ringoWorld) Files() Files { return ringoFiles{} }

type ringoFile struct{ *file.File }

func (f ringoFile) StreamOut(w io.Writer, off int64) (n int64, err error) {
	r, err := file.NewReaderAt(f.File, off, &file.StreamConfig{Depth: 3, Size: 300})
	if err != nil {
		return 0, err
	}
	defer r.Close()
	return r.WriteTo(w)
}

func (f ringoFile) StreamIn(ps [][]byte, off int64) error {
	w, err := file.NewWriterAt(f.File, off, &file.StreamConfig{Depth: 3, Size: 300})
	if err != nil {
		return err
	}
	for _, p := range ps {
		if _, err := w.Write(p); err != nil {
			return errors.Join(err, w.Close())
		}
	}
	return w.Close()
}

// ringoFiles is package file.
type ringoFiles struct{}

func filed(f *file.File, err error) (File, error) {
	if err != nil {
		return nil, err
	}
	return ringoFile{f}, nil
}

func (ringoFiles) OpenFile(name string, flag int, perm fs.FileMode) (File, error) {
	return filed(file.OpenFile(name, flag, perm))
}
func (ringoFiles) ReadFile(name string) ([]byte, error) { return file.ReadFile(name) }
func (ringoFiles) WriteFile(name string, data []byte, perm fs.FileMode) error {
	return file.WriteFile(name, data, perm)
}
func (ringoFiles) WriteFileAtomic(name string, data []byte, perm fs.FileMode) error {
	return file.WriteFileAtomic(name, data, perm)
}
func (ringoFiles) CopyFile(dst, src string) (int64, error)      { return file.CopyFile(dst, src) }
func (ringoFiles) Stat(name string) (fs.FileInfo, error)        { return file.Stat(name) }
func (ringoFiles) Lstat(name string) (fs.FileInfo, error)       { return file.Lstat(name) }
func (ringoFiles) ReadDir(name string) ([]fs.DirEntry, error)   { return file.ReadDir(name) }
func (ringoFiles) Mkdir(name string, perm fs.FileMode) error    { return file.Mkdir(name, perm) }
func (ringoFiles) MkdirAll(name string, perm fs.FileMode) error { return file.MkdirAll(name, perm) }
func (ringoFiles) Remove(name string) error                     { return file.Remove(name) }
func (ringoFiles) RemoveAll(name string) error                  { return file.RemoveAll(name) }
func (ringoFiles) Rename(from, to string) error                 { return file.Rename(from, to) }
func (ringoFiles) Link(from, to string) error                   { return file.Link(from, to) }
func (ringoFiles) Symlink(from, to string) error                { return file.Symlink(from, to) }
func (ringoFiles) ReadLink(name string) (string, error)         { return file.Readlink(name) }
func (ringoFiles) Truncate(name string, size int64) error       { return file.Truncate(name, size) }
func (ringoFiles) Chmod(name string, mode fs.FileMode) error    { return file.Chmod(name, mode) }
func (ringoFiles) Walk(root string, fn fs.WalkDirFunc) error    { return file.WalkDir(root, fn) }

func (w *ringoWorld) Sleep(ctx context.Context, d time.Duration) error {
	if w.self == nil {
		return new(netWorld).Sleep(ctx, d)
	}
	return w.Under(ctx, nil, func() error { return w.self.Sleep(d) })
}

func (w *ringoWorld) AfterFunc(d time.Duration, f func()) Timer {
	if w.self == nil {
		return time.AfterFunc(d, f)
	}
	return w.self.AfterFunc(d, f)
}

func (w *ringoWorld) Ticks(d time.Duration, n int) error {
	if w.self == nil {
		return new(netWorld).Ticks(d, n)
	}
	t := w.self.NewTicker(d)
	defer t.Stop()
	for range n {
		if _, err := t.C.Recv(); err != nil {
			return err
		}
	}
	return nil
}

func (w *ringoWorld) Post(loop int, f func()) error       { return w.loop(loop).Post(f) }
func (w *ringoWorld) Call(loop int, f func() error) error { return w.loop(loop).Call(f) }

func (w *ringoWorld) Go(loop, how int, f func(w World)) Child {
	l := w.loop(loop)
	if how == inGoroutine {
		c := new(besideChild)
		c.ended.Add(1)
		c.Child = spawn(func(ctx context.Context) {
			defer c.ended.Done()
			f(besideWorld{&ringoWorld{l, nil, w.still, w.boards}, ctx})
		})
		return c
	}
	body := func() { f(&ringoWorld{l, l, w.still, w.boards}) }
	if how == 3 {
		return l.GoNamed("child", body)
	}
	return l.Go(body)
}

func (w *ringoWorld) Group(fs []func() error) error {
	if w.self == nil {
		return goroutines(fs)
	}
	g := ringo.NewGroup(w.self)
	for _, f := range fs {
		g.Go(f)
	}
	return g.Wait()
}

func (w *ringoWorld) Offload(f func() error) error {
	if w.self == nil {
		return f()
	}
	return w.self.Offload(func(context.Context) error { return f() })
}

func (w *ringoWorld) Yield() {
	if w.self != nil {
		w.self.Yield()
	}
}

func (w *ringoWorld) Here(_ Deadline, f func(ctx context.Context) error) error {
	return f(context.Background())
}

// Late uses two tasks of the connection's loop: one that waits, and one behind it that makes the loop stand still.
func (w *ringoWorld) Late(c, peer Conn, p []byte, wait func()) (err error) {
	on, now := c.(ringoConn).Loop(), time.Now
	if !(*loop.Loop)(on).World().Beside() {
		now = on.Now
	}
	failed := on.Go(func() {
		send, wrong := sender(peer.(ringoConn).Conn, on, p)
		far := c.SetReadDeadline(on.Now().Add(time.Hour))
		standing := on.Go(func() {
			// The deadline must not have passed when it is set: such a deadline ends a wait whatever has come. The
			// machine may be busy, so the loop tries again with more time.
			set, in := errors.Join(wrong, send()), 100*time.Microsecond
			for at := now(); set == nil && !now().Before(at); in *= 2 {
				at = now().Add(in)
				set = c.SetReadDeadline(at)
			}
			err = set
			w.still(in)
		})
		wait()
		err = errors.Join(far, standing.Wait(), err)
	}).Wait()
	return errors.Join(failed, err, c.SetReadDeadline(time.Time{}))
}

// sender returns a function that hands p to the kernel at once, although the loop on stands still from that call on. If
// c belongs to another loop, that loop is not asked, because it may stand still for the same reason: the function
// writes to the descriptor directly.
func sender(c *sock.Conn, on *ringo.Loop, p []byte) (send func() error, err error) {
	write := func() error { _, err := c.Write(p); return err }
	switch {
	case !(*loop.Loop)(on).World().Beside():
		return write, nil
	case c.Loop() == on:
		return func() error { return errors.Join(c.SetBatching(false), write(), c.SetBatching(true)) }, nil
	}
	raw, err := c.SyscallConn()
	if err != nil {
		return nil, err
	}
	var number int32
	err = raw.Control(func(fd uintptr) { number = int32(fd) })
	return func() error {
		if res := sys.Write(number, p); res < 0 {
			return posix.Of(res)
		}
		return nil
	}, err
}

// Under uses WithContext for a task.
func (w *ringoWorld) Under(ctx context.Context, d Deadline, f func() error) error {
	if w.self == nil {
		return under(ctx, d, f)
	}
	return w.self.WithContext(ctx, f)
}

func (w *ringoWorld) Within(t time.Duration, d Deadline, f func(ctx context.Context) error) error {
	if w.self == nil {
		return within(t, d, f)
	}
	return w.self.WithTimeout(t, func() error { return f(context.Background()) })
}

// besideWorld is the World of a goroutine that an actor has started.
type besideWorld struct {
	*ringoWorld
	ctx context.Context // the Child's
}

func (w besideWorld) Here(_ Deadline, f func(ctx context.Context) error) error { return f(w.ctx) }

// besideChild is that goroutine. A task that waits for it must not stop its loop.
type besideChild struct {
	Child
	ended ringo.WaitGroup
}

func (c *besideChild) Wait() error {
	c.ended.Wait()
	return c.Child.Wait()
}
