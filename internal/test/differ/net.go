package differ

import (
	"bufio"
	"context"
	"errors"
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"ringo/internal/posix"
)

// Net runs plans on packages net and os. All its callers are goroutines, whatever kind the plan says.
type Net struct{}

func (Net) Name() string { return "net" }

func (Net) Open() (Session, error) { return new(netSession), nil }

// netSession has one goroutine for the posts to each loop, so that the posts have an order.
type netSession struct{}

func (s *netSession) Ground(p *Plan) (Ground, func(), error) { return system(p) }

func (s *netSession) Run(p *Plan, setup func(w World), body func(i int, w World)) error {
	w := &netWorld{ctx: context.Background()}
	var loops sync.WaitGroup
	for i := range w.posts {
		c := make(chan func(), 1024)
		w.posts[i] = c
		loops.Go(func() {
			for f := range c {
				f()
			}
		})
	}
	setup(w)
	var all sync.WaitGroup
	for i := range p.Callers {
		all.Go(func() { body(i, w) })
	}
	all.Wait()
	for _, c := range w.posts {
		close(c)
	}
	loops.Wait()
	return nil
}

func (s *netSession) Close() error { return nil }

type netWorld struct {
	posts [Loops]chan func()
	ctx   context.Context // a Child's own
}

func (w *netWorld) Listen(_ int, network, address string) (Listener, error) {
	ln, err := net.Listen(network, address)
	if err != nil {
		return nil, err
	}
	return netListener{ln}, nil
}

type netListener struct{ net.Listener }

func (ln netListener) Accept(bool) (Conn, error) {
	c, err := ln.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return newNetConn(c), nil
}

func (ln netListener) SetDeadline(t time.Time) error {
	return ln.Listener.(interface{ SetDeadline(t time.Time) error }).SetDeadline(t)
}

func (w *netWorld) Dial(ctx context.Context, _ int, network, address string) (Conn, error) {
	c, err := new(net.Dialer).DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	return newNetConn(c), nil
}

// netConn is a connection of package net, with the rest of what a Conn has.
type netConn struct {
	net.Conn
	r      *bufio.Reader
	turn   sync.Mutex
	closed chan struct{}
	once   sync.Once
	due    atomic.Int64 // the read deadline, which r does not know; 0: none
}

func (c *netConn) SetReadDeadline(t time.Time) error {
	c.due.Store(0)
	if !t.IsZero() {
		c.due.Store(t.UnixNano())
	}
	return c.Conn.SetReadDeadline(t)
}

func (c *netConn) SetDeadline(t time.Time) error {
	return errors.Join(c.SetReadDeadline(t), c.SetWriteDeadline(t))
}

func newNetConn(c net.Conn) *netConn {
	return &netConn{Conn: c, r: bufio.NewReaderSize(c, 64<<10), closed: make(chan struct{})}
}

func (c *netConn) Close() error {
	c.once.Do(func() { close(c.closed) })
	return c.Conn.Close()
}

// ended returns net.ErrClosed for a closed connection, for calls that r would still answer from its buffer.
func (c *netConn) ended() error {
	select {
	case <-c.closed:
		return net.ErrClosed
	default:
		return nil
	}
}

// Read bypasses the buffer when it is empty.
func (c *netConn) Read(p []byte) (int, error) {
	if c.r.Buffered() == 0 {
		return c.Conn.Read(p)
	}
	if due := c.due.Load(); due != 0 && time.Now().UnixNano() >= due {
		return 0, os.ErrDeadlineExceeded
	}
	return c.r.Read(p)
}

// Write retries where package net gives up: when there is no room for a record of no bytes.
func (c *netConn) Write(p []byte) (int, error) {
	n, err := c.Conn.Write(p)
	for len(p) == 0 && errors.Is(err, posix.EAGAIN) {
		runtime.Gosched()
		n, err = c.Conn.Write(p)
	}
	return n, err
}

func (c *netConn) Peek(n int) ([]byte, error) {
	if err := c.ended(); err != nil {
		return nil, err
	}
	return c.r.Peek(n)
}

func (c *netConn) Discard(n int) (int, error) {
	if err := c.ended(); err != nil {
		return 0, err
	}
	c.turn.Lock() // there may be several readers
	defer c.turn.Unlock()
	return c.r.Discard(n)
}

type plainLease []byte

func (b plainLease) Bytes() []byte { return b }
func (b plainLease) Release()      {}

func (c *netConn) Next() (Lease, error) {
	p := make([]byte, 16<<10)
	n, err := c.Read(p)
	if err != nil {
		return nil, err
	}
	return plainLease(p[:n]), nil
}

func (c *netConn) WriteLease(b Lease) (int, error) { return c.Write(b.Bytes()) }

func (c *netConn) ReadV(bufs [][]byte) (int, error) {
	for _, p := range bufs {
		if len(p) > 0 {
			return c.Read(p)
		}
	}
	return 0, nil
}

func (c *netConn) WriteV(bufs [][]byte) (int, error) {
	b := net.Buffers(append([][]byte(nil), bufs...))
	n, err := b.WriteTo(c.Conn)
	return int(n), err
}

func (c *netConn) CopyTo(w io.Writer) (int64, error) {
	if to, ok := w.(*netConn); ok {
		w = to.Conn
	}
	return io.Copy(w, c.r)
}

func (c *netConn) CopyFrom(r io.Reader) (int64, error) {
	if from, ok := r.(*netConn); ok {
		r = from.r
	}
	return io.Copy(c.Conn, r)
}

func (c *netConn) SendFile(head []byte, f File, off, n int64) (int, error) {
	if _, err := c.Write(head); err != nil {
		return 0, err
	}
	k, err := io.Copy(c.Conn, io.NewSectionReader(f, off, n))
	return int(k), err
}

func (c *netConn) TryWrite(p []byte) (int, error) { return c.Write(p) }
func (c *netConn) Flush() error                   { return nil }
func (c *netConn) CloseSoon()                     {}
func (c *netConn) SetBatching(bool) error         { return nil }
func (c *netConn) SetIdle(bool) error             { return nil }

func (c *netConn) CloseWrite() error {
	return c.Conn.(interface{ CloseWrite() error }).CloseWrite()
}

func (c *netConn) SetLinger(sec int) error { return c.Conn.(*net.TCPConn).SetLinger(sec) }
func (c *netConn) SetNoDelay(on bool) error {
	return c.Conn.(*net.TCPConn).SetNoDelay(on)
}

func (c *netConn) SetReadBuffer(n int) error {
	return c.Conn.(interface{ SetReadBuffer(n int) error }).SetReadBuffer(n)
}

func (c *netConn) SetWriteBuffer(n int) error {
	return c.Conn.(interface{ SetWriteBuffer(n int) error }).SetWriteBuffer(n)
}

func (c *netConn) MoveTo(int) (Conn, error) { return c, nil }

func (c *netConn) Leave(_, n int, _ func(f func() error) error) ([]byte, Conn, error) {
	p := make([]byte, n)
	n, err := io.ReadFull(c, p)
	return p[:n], c, err
}

func (c *netConn) Buffered() int { return c.r.Buffered() }

func (w *netWorld) Serve(ln Listener, how int) (stop func() error) {
	var all sync.WaitGroup
	all.Go(func() {
		for {
			c, err := ln.Accept(true)
			if err != nil {
				return
			}
			all.Go(func() {
				defer c.Close()
				for answer(c, how) == nil {
				}
			})
		}
	})
	return func() error {
		all.Wait()
		return nil
	}
}

// Late sets no deadline: what comes before a deadline is read anyway.
func (w *netWorld) Late(_, peer Conn, p []byte, wait func()) error {
	_, err := peer.Write(p)
	wait()
	return err
}

func (w *netWorld) Scope(_ int, f func()) { f() }
func (w *netWorld) Aside(f func())        { f() }

func (w *netWorld) DialPacket(_ int, network, address string) (Packet, error) {
	c, err := net.Dial(network, address)
	if err != nil {
		return nil, err
	}
	return onePacket{c.(datagrams)}, nil
}

func (w *netWorld) ListenPacket(_ int, network, address string) (Packet, error) {
	c, err := net.ListenPacket(network, address)
	if err != nil {
		return nil, err
	}
	return onePacket{c.(datagrams)}, nil
}

// datagrams is what all datagram sockets have.
type datagrams interface {
	net.PacketConn
	Write(p []byte) (int, error)
}

// onePacket sends and reads one datagram with each call.
type onePacket struct{ datagrams }

func (p onePacket) WriteAll(ps [][]byte, addr net.Addr) error {
	for _, b := range ps {
		if n, err := p.WriteTo(b, addr); err != nil || n != len(b) {
			return errors.Join(err, errShort(n, len(b)))
		}
	}
	return nil
}

func (p onePacket) ReadAll(n int) (ps [][]byte, err error) {
	for len(ps) < n {
		b := make([]byte, 2000)
		k, _, err := p.ReadFrom(b)
		if err != nil {
			return ps, err
		}
		ps = append(ps, b[:k])
	}
	return ps, nil
}

func errShort(n, want int) error {
	if n == want {
		return nil
	}
	return io.ErrShortWrite
}

func (w *netWorld) Pipe() (r, wr File, err error) {
	a, b, err := os.Pipe()
	if err != nil {
		return nil, nil, err
	}
	return osFile{a}, osFile{b}, nil
}

func (w *netWorld) Files() Files { return osFiles{} }

// osFile is an os.File, with the rest of what a File has.
type osFile struct{ *os.File }

func (f osFile) Datasync() error { return f.Sync() }

func (f osFile) ReadVAt(ps [][]byte, off int64) (sum int, err error) {
	for _, p := range ps {
		n, err := f.ReadAt(p, off)
		sum, off = sum+n, off+int64(n)
		if err != nil {
			return sum, err
		}
	}
	return sum, nil
}

func (f osFile) WriteVAt(ps [][]byte, off int64) (sum int, err error) {
	for _, p := range ps {
		n, err := f.WriteAt(p, off)
		sum, off = sum+n, off+int64(n)
		if err != nil {
			return sum, err
		}
	}
	return sum, nil
}

func (f osFile) StreamOut(w io.Writer, off int64) (int64, error) {
	return io.Copy(w, bufio.NewReader(io.NewSectionReader(f.File, off, 1<<40)))
}

func (f osFile) StreamIn(ps [][]byte, off int64) error {
	w := bufio.NewWriter(io.NewOffsetWriter(f.File, off))
	for _, p := range ps {
		if _, err := w.Write(p); err != nil {
			return err
		}
	}
	return w.Flush()
}

// osFiles is package os.
type osFiles struct{}

func (osFiles) OpenFile(name string, flag int, perm fs.FileMode) (File, error) {
	f, err := os.OpenFile(name, flag, perm)
	if err != nil {
		return nil, err
	}
	return osFile{f}, nil
}

func (osFiles) ReadFile(name string) ([]byte, error) { return os.ReadFile(name) }
func (osFiles) WriteFile(name string, data []byte, perm fs.FileMode) error {
	return os.WriteFile(name, data, perm)
}

// WriteFileAtomic does what package file documents for its own: it writes a new file and renames it.
func (osFiles) WriteFileAtomic(name string, data []byte, perm fs.FileMode) error {
	f, err := os.CreateTemp(filepath.Dir(name), ".t*")
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	err = errors.Join(err, f.Chmod(perm), f.Close())
	if err == nil {
		err = rename(f.Name(), name)
	}
	if err != nil {
		os.Remove(f.Name())
	}
	return err
}

func (osFiles) CopyFile(dst, src string) (int64, error) {
	from, err := os.Open(src)
	if err != nil {
		return 0, err
	}
	defer from.Close()
	info, err := from.Stat()
	if err != nil {
		return 0, err
	}
	if old, err := os.Stat(dst); err == nil && os.SameFile(old, info) {
		return 0, syscall.EINVAL
	}
	to, err := os.OpenFile(dst, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, info.Mode().Perm())
	if err != nil {
		return 0, err
	}
	n, err := io.Copy(to, from)
	return n, errors.Join(err, to.Close())
}

func (osFiles) Stat(name string) (fs.FileInfo, error)        { return os.Stat(name) }
func (osFiles) Lstat(name string) (fs.FileInfo, error)       { return os.Lstat(name) }
func (osFiles) ReadDir(name string) ([]fs.DirEntry, error)   { return os.ReadDir(name) }
func (osFiles) Mkdir(name string, perm fs.FileMode) error    { return os.Mkdir(name, perm) }
func (osFiles) MkdirAll(name string, perm fs.FileMode) error { return os.MkdirAll(name, perm) }
func (osFiles) Remove(name string) error                     { return os.Remove(name) }
func (osFiles) RemoveAll(name string) error                  { return os.RemoveAll(name) }
func (osFiles) Rename(from, to string) error                 { return os.Rename(from, to) }
func (osFiles) Link(from, to string) error                   { return os.Link(from, to) }
func (osFiles) Symlink(from, to string) error                { return os.Symlink(from, to) }
func (osFiles) ReadLink(name string) (string, error)         { return os.Readlink(name) }
func (osFiles) Truncate(name string, size int64) error       { return os.Truncate(name, size) }
func (osFiles) Chmod(name string, mode fs.FileMode) error    { return os.Chmod(name, mode) }
func (osFiles) Walk(root string, fn fs.WalkDirFunc) error    { return filepath.WalkDir(root, fn) }

func (w *netWorld) Sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (w *netWorld) AfterFunc(d time.Duration, f func()) Timer { return time.AfterFunc(d, f) }

func (w *netWorld) Ticks(d time.Duration, n int) error {
	t := time.NewTicker(d)
	defer t.Stop()
	for range n {
		<-t.C
	}
	return nil
}

func (w *netWorld) Post(loop int, f func()) error {
	w.posts[loop] <- f
	return nil
}

func (w *netWorld) Call(_ int, f func() error) error {
	done := make(chan error)
	go func() { done <- f() }()
	return <-done
}

// netChild is a goroutine with a context.
type netChild struct {
	cancel context.CancelFunc
	done   chan struct{}
}

func (c *netChild) Cancel() { c.cancel() }
func (c *netChild) Wait() error {
	<-c.done
	c.cancel()
	return nil
}

func (w *netWorld) Go(_, _ int, f func(w World)) Child {
	return spawn(func(ctx context.Context) { f(&netWorld{w.posts, ctx}) })
}

// inGoroutine is a way of World.Go.
const inGoroutine = -1

func spawn(f func(ctx context.Context)) Child {
	ctx, cancel := context.WithCancel(context.Background())
	c := &netChild{cancel, make(chan struct{})}
	go func() {
		defer close(c.done)
		f(ctx)
	}()
	return c
}

func (w *netWorld) Group(fs []func() error) error { return goroutines(fs) }

// goroutines runs functions concurrently and returns the first error.
func goroutines(fs []func() error) (err error) {
	var all sync.WaitGroup
	var once sync.Once
	for _, f := range fs {
		all.Go(func() {
			if failed := f(); failed != nil {
				once.Do(func() { err = failed })
			}
		})
	}
	all.Wait()
	return err
}

func (w *netWorld) Offload(f func() error) error { return f() }
func (w *netWorld) Yield()                       { runtime.Gosched() }

func (w *netWorld) Here(d Deadline, f func(ctx context.Context) error) error {
	return under(w.ctx, d, func() error { return f(w.ctx) })
}

func (w *netWorld) Under(ctx context.Context, d Deadline, f func() error) error {
	return under(ctx, d, f)
}

func (w *netWorld) Within(t time.Duration, d Deadline, f func(ctx context.Context) error) error {
	return within(t, d, f)
}

// under ends a wait by a context as programs of goroutines do: it sets a deadline in the past.
func under(ctx context.Context, d Deadline, f func() error) error {
	if d == nil {
		return f()
	}
	ended := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(ended)
		d(time.Unix(1, 0))
	})
	err := f()
	if !stop() {
		<-ended
		d(time.Time{})
		if errors.Is(err, os.ErrDeadlineExceeded) {
			return context.Cause(ctx)
		}
	}
	return err
}

// within is under with a timeout.
func within(t time.Duration, d Deadline, f func(ctx context.Context) error) error {
	ctx, cancel := context.WithTimeout(context.Background(), t)
	defer cancel()
	return under(ctx, d, func() error { return f(ctx) })
}
