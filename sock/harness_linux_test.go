//go:build linux

package sock_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"ringo"
	"ringo/internal/test/patience"
	"ringo/internal/test/socktest"
	"ringo/sock"
)

// descriptors counts those of this process whose names in /proc begin with kind: "socket:" or "pipe:".
func descriptors(t testing.TB, kind string) (n int) {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if name, err := os.Readlink("/proc/self/fd/" + e.Name()); err == nil && strings.HasPrefix(name, kind) {
			n++
		}
	}
	return n
}

// A subject is a connection that must behave as those of package net do, and its peer.
// Two callers use it, of the same kind or not: a waiter, whose calls may wait, and an
// actor, who does something meanwhile. One subject is package net's own, so that these
// tests say what it does.
type subject struct {
	*testing.T
	c    conn
	peer tcpPeer
	l    *ringo.Loop // nil: of package net

	start     func(fn func() error) (end func() error) // by the waiter
	act       func(fn func() error) error              // by the actor
	offloaded func(fn func() error) error              // by a goroutine of the peer's
}

// eachSubject runs f with each kind of connection and of caller.
func eachSubject(t *testing.T, f func(s *subject)) {
	t.Run("net", func(t *testing.T) {
		patience.Within(t.Name(), func() {
			c, peer := netPair[*net.TCPConn](t, "tcp")
			now := func(fn func() error) error { return fn() }
			f(&subject{T: t, c: c, peer: peer, act: now, offloaded: now, start: func(fn func() error) func() error {
				end := make(chan error, 1)
				go func() { end <- fn() }()
				return func() error { return <-end }
			}})
		})
	})
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		eachCallers(t, func(t *testing.T, waiter, actor byEach) {
			pair(t, cfg, func(l *ringo.Loop, c *sock.Conn, peer tcpPeer) {
				f(&subject{T: t, c: c, peer: peer, l: l,
					start: func(fn func() error) func() error { return bare(waiter, l, fn) },
					act:   func(fn func() error) error { return bare(actor, l, fn)() },
					offloaded: func(fn func() error) error {
						return l.Offload(func(context.Context) error { return fn() })
					},
				})
			})
		})
	})
}

// bare is run of a kind of caller, and gives fn's error as it is.
func bare(who byEach, l *ringo.Loop, fn func() error) (end func() error) {
	var err error
	wait := who.run(l, func() error { err = fn(); return nil })
	return func() error {
		if failed := wait(); failed != nil {
			return failed
		}
		return err
	}
}

// besideLoops is besideLoop with another loop of the same Run, to whose listener nobody comes.
func besideLoops(t *testing.T, cfg ringo.Config, f func(t *testing.T, l, away *ringo.Loop, ln *sock.Listener)) {
	cfg.Loops = 2
	loops, over := make(chan *ringo.Loop, 1), make(chan struct{})
	s := serve(t, cfg, func(l *ringo.Loop, ln *sock.Listener) error {
		if l.Index() == 1 {
			ln.Close()
			loops <- l
			offloaded(t, l, func() error { <-over; return nil })
			return nil
		}
		defer close(over)
		onGoroutine(t, l, func() { f(t, l, <-loops, ln) })
		return nil
	})
	<-over
	s.stop()
}

// netPair is both ends of a connection of package net, the accepted one and the dialled one. They are closed with the
// test at the latest.
func netPair[C net.Conn](t testing.TB, network string) (accepted, dialled C) {
	t.Helper()
	addr := "127.0.0.1:0"
	if network != "tcp" {
		addr = socketPath(t)
	}
	ln, err := net.Listen(network, addr)
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	d, err := socktest.Dial(t, network, ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	a, err := ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { a.Close() })
	return a.(C), d.(C)
}

// waits is start, and the end at once.
func (s *subject) waits(fn func() error) error { return s.start(fn)() }

// pause gives a waiter time to come to its wait. The tests hold if it does not.
func (s *subject) pause(d time.Duration) {
	if s.l != nil {
		s.l.Sleep(d)
	} else {
		time.Sleep(d)
	}
}

// must fails the test on an error.
func (s *subject) must(what string, err error) {
	s.Helper()
	if err != nil {
		s.Fatalf("%s: %v", what, err)
	}
}

// wantIs wants an error of the connection with an error in it.
func (s *subject) wantIs(what string, err, target error) {
	s.Helper()
	var op *net.OpError
	if !errors.Is(err, target) || !errors.As(err, &op) || op.Net != "tcp" || op.Source == nil || op.Addr == nil {
		s.Errorf("%s: %v, want a *net.OpError with %v", what, err, target)
	}
}

// wantDeadline wants the error of a deadline that has passed.
func (s *subject) wantDeadline(what string, err error) {
	s.Helper()
	s.wantIs(what, err, os.ErrDeadlineExceeded)
	if e, ok := err.(net.Error); !ok || !e.Timeout() || !e.Temporary() {
		s.Errorf("%s: %v, want one that is Timeout and Temporary", what, err)
	}
}

// reads wants the waiter to read text.
func (s *subject) reads(what, text string) {
	s.Helper()
	b := make([]byte, len(text)+10)
	n := 0
	err := s.waits(func() (err error) { n, err = s.c.Read(b); return err })
	if err != nil || string(b[:n]) != text {
		s.Errorf("%s: read %q, %v, want %q", what, b[:n], err, text)
	}
}

// sends has the peer write text.
func (s *subject) sends(text string) {
	s.Helper()
	_, err := s.peer.Write([]byte(text))
	s.must("the peer's write", err)
}

// flood is more than the buffers of two sockets take.
var flood = sync.OnceValue(func() []byte { return make([]byte, 32<<20) })

// block has the waiter write until it has to wait, and go on: end gives the count too.
func (s *subject) block() (end func() (int, error)) {
	n := 0
	flood() // not in a task
	ended := s.start(func() (err error) { n, err = s.c.Write(flood()); return err })
	s.must("the peer's read of the first byte", s.offloaded(func() error {
		_, err := s.peer.Read(make([]byte, 1))
		return err
	}))
	return func() (int, error) {
		err := ended()
		return n, err
	}
}

// unixNetworks are the networks of connections between Unix sockets.
var unixNetworks = []string{"unix", "unixpacket"}

// eachUnix runs f for each driver and Unix network.
func eachUnix(t *testing.T, f func(t *testing.T, cfg ringo.Config, network string)) {
	t.Helper()
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		for _, network := range unixNetworks {
			t.Run(network, func(t *testing.T) { f(t, cfg, network) })
		}
	})
}

var abstractNames atomic.Int64

// abstractName is a name that nobody else uses.
func abstractName() string { return fmt.Sprintf("@sock-%d-%d", os.Getpid(), abstractNames.Add(1)) }

// listenUnix listens on a path.
func listenUnix(t testing.TB, l *ringo.Loop, network, name string) *sock.Listener {
	t.Helper()
	ln, err := sock.Listen(l, network, name)
	if err != nil {
		t.Fatal(err)
	}
	return ln
}

// unixPeer is the other end of a connection by a Unix socket.
type unixPeer = socktest.Stream

// dialUnix connects as package net does, with a deadline for all that follows.
func dialUnix(t testing.TB, network, name string) unixPeer {
	t.Helper()
	c, err := socktest.Dial(t, network, name)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// unixPair runs body as a task that has one accepted connection and its peer, a
// connection of package net. Both are closed behind it.
func unixPair(t *testing.T, cfg ringo.Config, network string,
	body func(l *ringo.Loop, c *sock.Conn, peer unixPeer)) {
	t.Helper()
	onLoop(t, cfg, func(l *ringo.Loop) {
		ln := listenUnix(t, l, network, abstractName())
		peer := dialUnix(t, network, ln.Addr().String())
		defer peer.Close()
		c, err := ln.AcceptConn()
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		ln.Close()
		body(l, c, peer)
	})
}

// ringoPair runs body as a task that has both ends of a connection, the accepted and
// the dialled one.
func ringoPair(t *testing.T, cfg ringo.Config, network string, body func(l *ringo.Loop, c, d *sock.Conn)) {
	t.Helper()
	onLoop(t, cfg, func(l *ringo.Loop) {
		ln := listenUnix(t, l, network, abstractName())
		d, err := sock.Dial(l, network, ln.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer d.Close()
		c, err := ln.AcceptConn()
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		ln.Close()
		body(l, c, d)
	})
}

// raw is a client's socket in plain, blocking system calls. Its calls allocate
// nothing and know of no poller.
type raw struct {
	fd int
}

// rawDial connects; opts are done to the socket before.
func rawDial(addr string, opts ...func(fd int) error) (raw, error) {
	to, err := net.ResolveTCPAddr("tcp4", addr)
	if err != nil {
		return raw{}, err
	}
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return raw{}, err
	}
	c := raw{fd}
	for _, opt := range opts {
		if err := opt(fd); err != nil {
			c.close()
			return raw{}, err
		}
	}
	sa := &syscall.SockaddrInet4{Port: to.Port, Addr: [4]byte(to.IP.To4())}
	for {
		if err = syscall.Connect(fd, sa); err != syscall.EINTR {
			break
		}
	}
	if err != nil {
		c.close()
		return raw{}, err
	}
	tv := syscall.NsecToTimeval(patience.Max.Nanoseconds())
	syscall.SetsockoptTimeval(fd, syscall.SOL_SOCKET, syscall.SO_RCVTIMEO, &tv)
	syscall.SetsockoptTimeval(fd, syscall.SOL_SOCKET, syscall.SO_SNDTIMEO, &tv)
	syscall.SetsockoptInt(fd, syscall.IPPROTO_TCP, syscall.TCP_NODELAY, 1)
	return c, nil
}

// from binds a socket to an address of this host.
func from(ip [4]byte) func(fd int) error {
	return func(fd int) error { return syscall.Bind(fd, &syscall.SockaddrInet4{Addr: ip}) }
}

// narrow gives a socket the smallest buffers.
func narrow(fd int) error {
	return errors.Join(
		syscall.SetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_RCVBUF, 1),
		syscall.SetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_SNDBUF, 1))
}

// mustRaw is rawDial for a test, which closes it.
func mustRaw(t *testing.T, addr string, opts ...func(fd int) error) raw {
	t.Helper()
	c, err := rawDial(addr, opts...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.close() })
	return c
}

func (c *raw) close() {
	if c.fd >= 0 {
		syscall.Close(c.fd)
		c.fd = -1
	}
}

// reset closes with a RST, which leaves nothing waiting in the kernel.
func (c *raw) reset() {
	syscall.SetsockoptLinger(c.fd, syscall.SOL_SOCKET, syscall.SO_LINGER, &syscall.Linger{Onoff: 1})
	c.close()
}

// write writes all of p.
func (c *raw) write(p []byte) error {
	for len(p) > 0 {
		n, err := syscall.Write(c.fd, p)
		if err == syscall.EINTR {
			continue
		}
		if err != nil {
			return err
		}
		p = p[n:]
	}
	return nil
}

// read fills p.
func (c *raw) read(p []byte) error {
	for len(p) > 0 {
		n, err := syscall.Read(c.fd, p)
		if err == syscall.EINTR {
			continue
		}
		if err != nil {
			return err
		}
		if n == 0 {
			return syscall.EPIPE
		}
		p = p[n:]
	}
	return nil
}

// atEnd waits for the stream's end.
func (c *raw) atEnd() error {
	var p [1]byte
	for {
		n, err := syscall.Read(c.fd, p[:])
		switch {
		case err == syscall.EINTR:
		case err != nil:
			return err
		case n == 0:
			return nil
		}
	}
}

// child is this binary as a program of its own, which answers lines.
type child struct {
	t   *testing.T
	cmd *exec.Cmd
	in  io.WriteCloser
	out *bufio.Reader
}

// startChild runs one of children. It ends with the test at the latest.
func startChild(t *testing.T, name string, env ...string) *child {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return startCommand(t, exec.Command(self), name, env...)
}

// startCommand runs one of children by a command of the caller's. What it reports goes to the test's log.
func startCommand(t *testing.T, cmd *exec.Cmd, name string, env ...string) *child {
	t.Helper()
	c := &child{t: t, cmd: cmd}
	cmd.Env = append(append(os.Environ(), childEnv+"="+name), env...)
	cmd.Stderr = t.Output()
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	c.out = bufio.NewReader(out)
	if c.in, err = c.cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	if err := c.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.end)
	return c
}

// line reads what the child says next.
func (c *child) line() (text string) {
	c.t.Helper()
	patience.Within(c.t.Name()+": the child's next line", func() {
		var err error
		if text, err = c.out.ReadString('\n'); err != nil {
			c.t.Fatalf("the child said %q, %v", text, err)
		}
	})
	return strings.TrimSpace(text)
}

// ask sends a line and gives the answer.
func (c *child) ask(question string) string {
	c.t.Helper()
	if _, err := fmt.Fprintln(c.in, question); err != nil {
		c.t.Fatal(err)
	}
	return c.line()
}

// end has the child end, which must be orderly.
func (c *child) end() {
	c.in.Close()
	defer time.AfterFunc(patience.Max/2, func() { c.cmd.Process.Kill() }).Stop()
	patience.Within(c.t.Name()+": the child's end", func() {
		if err := c.cmd.Wait(); err != nil && !c.t.Failed() {
			c.t.Errorf("the child ended with %v", err)
		}
	})
}

func init() {
	children["echo"] = echoChild
	children["hold"] = holdChild
}

// echoChild is a server that says its address, and then, whenever it is asked, its
// counters: back-offs, turns, and microseconds of processor time. It ends when
// nobody can ask any more.
func echoChild() int {
	if n, err := strconv.ParseUint(os.Getenv("RINGO_SOCK_FILES"), 10, 64); err == nil {
		if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &syscall.Rlimit{Cur: n, Max: n}); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
	}
	set, err := sock.Reserve("tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer set.Close()
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	cfg := &ringo.Config{Driver: os.Getenv("RINGO_SOCK_DRIVER"), Loops: 1, Grace: time.Second}
	err = ringo.Run(ctx, cfg, func(l *ringo.Loop) error {
		ln, err := set.Listen(l)
		if err != nil {
			return err
		}
		fmt.Println(set.Addr())
		go func() {
			defer stop()
			for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
				s := l.Stats()
				var u syscall.Rusage
				syscall.Getrusage(syscall.RUSAGE_SELF, &u)
				fmt.Println(s.Backoffs, s.Turns, (u.Utime.Nano()+u.Stime.Nano())/1000)
			}
		}()
		return perConn(func(c *sock.Conn) { io.Copy(c, c) })(l, ln)
	})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// holdChild serves an address until its input ends.
func holdChild() int {
	set, err := sock.Reserve("tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	fmt.Println(set.Addr())
	io.Copy(io.Discard, os.Stdin)
	return 0
}

// answer gives one byte back.
func answer(c *sock.Conn) {
	defer c.Close()
	b := make([]byte, 1)
	if _, err := io.ReadFull(c, b); err == nil {
		c.Write(b)
	}
}

// eachCallers runs f with every choice of who reads and who writes.
func eachCallers(t *testing.T, f func(t *testing.T, reader, writer byEach)) {
	for _, reader := range callers {
		for _, writer := range callers {
			t.Run(reader.name+" from "+writer.name, func(t *testing.T) { f(t, reader, writer) })
		}
	}
}

// passed gives a pipe: what may be passed on, and the end that tells of it.
func passed() (w, r *os.File, err error) {
	r, w, err = os.Pipe()
	return w, r, err
}

// speaks checks that w, which may be another descriptor, is r's other end.
func speaks(w, r *os.File) error {
	if _, err := w.Write([]byte("hello")); err != nil {
		return err
	}
	p := make([]byte, 5)
	if _, err := io.ReadFull(r, p); err != nil || string(p) != "hello" {
		return fmt.Errorf("through the descriptor: %q, %v", p, err)
	}
	return nil
}

// number is a descriptor, as a file's, whose mode (*os.File).Fd would change.
func number(c syscall.Conn) (n int) {
	raw, err := c.SyscallConn()
	if err == nil {
		err = raw.Control(func(fd uintptr) { n = int(fd) })
	}
	if err != nil {
		return -1
	}
	return n
}

// inOwnNetwork calls fn on a thread that has a network of its own, with a loopback that is up. Sockets and devices that
// it makes are of that network wherever they are used.
func inOwnNetwork(t *testing.T, fn func() error) {
	t.Helper()
	var isolated, err error
	done := make(chan bool)
	go func() {
		defer close(done)
		runtime.LockOSThread() // for good: the thread ends with the goroutine
		if isolated = os.NewSyscallError("unshare", unix.Unshare(unix.CLONE_NEWNET)); isolated != nil {
			return
		}
		s, e := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
		if err = e; err != nil {
			return
		}
		defer unix.Close(s)
		lo, e := unix.NewIfreq("lo")
		if err = e; err != nil {
			return
		}
		lo.SetUint16(unix.IFF_UP)
		if err = unix.IoctlIfreq(s, unix.SIOCSIFFLAGS, lo); err == nil {
			err = fn()
		}
	}()
	<-done
	switch {
	case isolated != nil:
		t.Skip("no network of its own: ", isolated)
	case errors.Is(err, fs.ErrPermission), errors.Is(err, fs.ErrNotExist), errors.Is(err, unix.ENODEV),
		errors.Is(err, unix.EROFS):
		t.Skip(err)
	case err != nil:
		t.Fatal(err)
	}
}

// record is a record of n bytes that differs from others.
func record(n int) []byte {
	p := make([]byte, n)
	pattern(p, n)
	return p
}
