package sock_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"path"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"ringo"
	"ringo/internal/loop"
	"ringo/internal/posix"
	"ringo/internal/race"
	"ringo/internal/test/patience"
	"ringo/internal/test/socktest"
	"ringo/internal/test/testmain"
	"ringo/sock"
	"ringo/stats"
)

// childEnv names the program that this binary shall be in place of the tests.
const childEnv = "RINGO_SOCK_CHILD"

// children are those programs. Each gives the exit status.
var children = map[string]func() int{}

func TestMain(m *testing.M) {
	if child := children[os.Getenv(childEnv)]; child != nil {
		os.Exit(child())
	}
	testmain.Register("slots and buffers of loops that have ended", socktest.Left)
	testmain.Main(m)
}

// Every test and every case of the contract that docs/defects.md names exists.
func TestDefects(t *testing.T) {
	page, err := os.ReadFile(filepath.Join("..", "docs", "defects.md"))
	if err != nil {
		t.Fatal(err)
	}
	tests, cases := testsByPackage(t), contractCases(t)
	named := 0
	for _, m := range regexp.MustCompile("`([^`]+)`").FindAllStringSubmatch(string(page), -1) {
		name := m[1]
		if c, ok := strings.CutPrefix(name, "contract: "); ok {
			if c == "a/b" {
				continue // how they are written
			}
			named++
			if group, of, _ := strings.Cut(c, "/"); !strings.Contains(cases[group], `"`+of) {
				t.Errorf("the contract has no case %q", c)
			}
			continue
		}
		pkg, test, ok := strings.Cut(name, ".")
		if !ok || !strings.HasPrefix(test, "Test") && !strings.HasPrefix(test, "Fuzz") || test == "TestX" {
			continue
		}
		named++
		if !tests[pkg+"."+test] {
			t.Errorf("there is no test %s", name)
		}
	}
	if named < 100 {
		t.Errorf("%d tests are named: the page was not understood", named)
	}
}

// testsByPackage lists all tests by the last word of their folder, which for the
// root is ringo, and for the command ringo/cmd.
func testsByPackage(t *testing.T) map[string]bool {
	t.Helper()
	found := map[string]bool{}
	decl := regexp.MustCompile(`(?m)^func ((?:Test|Fuzz)\w+)\(`)
	root := os.DirFS("..")
	err := fs.WalkDir(root, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(name, "_test.go") {
			return err
		}
		text, err := fs.ReadFile(root, name)
		if err != nil {
			return err
		}
		pkg := path.Base(path.Dir(name))
		switch path.Dir(name) {
		case ".":
			pkg = "ringo"
		case "cmd/ringo":
			pkg = "ringo/cmd"
		}
		for _, m := range decl.FindAllStringSubmatch(string(text), -1) {
			found[pkg+"."+m[1]] = true
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// contractCases gives the source of each group of the contract's cases.
func contractCases(t *testing.T) map[string]string {
	t.Helper()
	dir := filepath.Join("..", "internal", "test", "drivertest")
	files, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil || len(files) == 0 {
		t.Fatalf("%s: %d files, %v", dir, len(files), err)
	}
	groups := map[string]string{}
	for _, name := range files {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		group := strings.TrimSuffix(filepath.Base(name), ".go")
		groups[strings.TrimSuffix(group, "_linux")] += string(text)
	}
	return groups
}

// zeroAnswers are the methods of zero values that have an answer all the same, by type.
var zeroAnswers = map[reflect.Type][]string{
	reflect.TypeFor[*sock.Conn](): {"Buffered", "LocalAddr", "RemoteAddr", "Loop", "Value",
		"SetValue", "ZeroCopy", "CloseSoon"},
	reflect.TypeFor[*sock.Listener]():       {"Addr", "Loop", "SetUnlinkOnClose", "Stats"},
	reflect.TypeFor[*sock.PacketConn]():     {"LocalAddr", "RemoteAddr", "Loop", "GSO"},
	reflect.TypeFor[*sock.UnixPacketConn](): {"LocalAddr", "RemoteAddr", "Loop", "SetUnlinkOnClose"},
	reflect.TypeFor[*sock.Pollable]():       {"Loop"},
	reflect.TypeFor[*sock.ListenerSet]():    {"Addr", "SetUnlinkOnClose"},
}

// The zero values of handles are of no use, and say so as those of package net do, whatever they are asked.
func TestZeroValuesAsNet(t *testing.T) {
	if _, want := new(net.TCPConn).Read(nil); want != posix.EINVAL {
		t.Fatalf("package net has another error by now: %v", want)
	}
	plain := map[reflect.Type]any{
		reflect.TypeFor[[]byte]():            []byte("x"),
		reflect.TypeFor[[][]byte]():          [][]byte{[]byte("x")},
		reflect.TypeFor[[]sock.Message]():    make([]sock.Message, 1),
		reflect.TypeFor[sock.ControlFlags](): sock.ControlTTL,
		reflect.TypeFor[time.Time]():         time.Unix(1, 0),
		reflect.TypeFor[time.Duration]():     time.Second,
		reflect.TypeFor[net.Addr]():          &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 9},
		reflect.TypeFor[*net.UDPAddr]():      &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 9},
		reflect.TypeFor[*net.UnixAddr]():     &net.UnixAddr{Name: "x", Net: "unixgram"},
		reflect.TypeFor[netip.AddrPort]():    netip.MustParseAddrPort("127.0.0.1:9"),
		reflect.TypeFor[netip.Addr]():        netip.MustParseAddr("224.0.0.1"),
		reflect.TypeFor[io.Writer]():         io.Discard,
		reflect.TypeFor[io.Reader]():         strings.NewReader("x"),
		reflect.TypeFor[*ringo.Loop]():       new(ringo.Loop),
		reflect.TypeFor[int]():               1,
		reflect.TypeFor[bool]():              true,
		reflect.TypeFor[string]():            "x",
		reflect.TypeFor[sock.Interest]():     sock.Readable,
	}
	must := map[reflect.Type]bool{ // what even the plainest call has
		reflect.TypeFor[[]byte](): true, reflect.TypeFor[[]sock.Message](): true, reflect.TypeFor[time.Time](): true,
		reflect.TypeFor[sock.ControlFlags](): true, reflect.TypeFor[net.Addr](): true,
		reflect.TypeFor[*net.UDPAddr](): true,
	}
	handles := []any{new(sock.Conn), new(sock.Listener), new(sock.PacketConn), new(sock.UnixPacketConn),
		new(sock.Pollable), new(sock.ListenerSet)}
	for _, zero := range handles {
		v := reflect.ValueOf(zero)
		for i := range v.NumMethod() {
			name, method := v.Type().Method(i).Name, v.Method(i)
			for _, all := range []bool{false, true} {
				var in []reflect.Value
				for j := range method.Type().NumIn() {
					if method.Type().IsVariadic() && j == method.Type().NumIn()-1 {
						break
					}
					typ := method.Type().In(j)
					if arg, ok := plain[typ]; ok && (all || must[typ]) {
						in = append(in, reflect.ValueOf(arg))
					} else {
						in = append(in, reflect.Zero(typ))
					}
				}
				var got any
				patience.Within(fmt.Sprintf("%T.%s", zero, name), func() { got = outcome(method, in) })
				if slices.Contains(zeroAnswers[v.Type()], name) {
					if err, panicked := got.(error); panicked {
						t.Errorf("%T.%s: %v", zero, name, err)
					}
				} else if err, ok := got.(error); !ok || !errors.Is(err, posix.EINVAL) {
					t.Errorf("%T.%s: %v, want %v", zero, name, got, posix.EINVAL)
				}
			}
		}
	}
	if _, err := os.Stdin.Stat(); err != nil {
		t.Errorf("descriptor 0, which is the zero value's, was closed: %v", err)
	}
}

var (
	available    = socktest.Available
	onLoop       = socktest.OnLoop
	settle       = socktest.Settle
	pause        = socktest.Pause
	others       = socktest.Others
	offloaded    = socktest.Offloaded
	eventually   = socktest.Eventually
	eventuallyOn = socktest.EventuallyOn
	inIterator   = socktest.InIterator
	byteAt       = socktest.ByteAt
	pattern      = socktest.Pattern
	prefix       = socktest.Prefix
	readAll      = socktest.ReadAll
	mismatch     = socktest.Mismatch
)

// eachDriver runs f for each driver, and for simulated worlds.
func eachDriver(t *testing.T, f func(t *testing.T, cfg ringo.Config)) {
	t.Helper()
	socktest.EachPlace(t, "sock", f)
}

// tcpPeer is the other end of a connection by TCP.
type tcpPeer = socktest.Peer

// needNumbers skips a test that needs more descriptors than the process may have, or than the driver can watch.
func needNumbers(t testing.TB, n int) {
	t.Helper()
	testmain.NeedDescriptors(t, uint64(n))
	if os.Getenv("RINGO_DRIVER") == "select" && n > 1000 {
		t.Skipf("select watches descriptors below 1024 only, this needs %d", n)
	}
}

// haveIPv6 reports whether there is an address of IPv6.
func haveIPv6() bool {
	ln, err := net.Listen("tcp6", "[::1]:0")
	if err == nil {
		ln.Close()
	}
	return err == nil
}

// socketPath is a name in a folder of its own, short enough for a socket.
func socketPath(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "sock")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return filepath.Join(dir, "s")
}

// pair runs body as a task that has one accepted connection and its peer, a
// connection of package net or of the world's. Both are closed behind it.
func pair(t *testing.T, cfg ringo.Config, body func(l *ringo.Loop, c *sock.Conn, peer tcpPeer)) {
	t.Helper()
	onLoop(t, cfg, func(l *ringo.Loop) {
		c, peer := connect(t, l)
		defer peer.Close()
		defer c.Close()
		body(l, c, peer)
	})
}

// connect makes a connection to this loop, and its peer.
func connect(t *testing.T, l *ringo.Loop) (*sock.Conn, tcpPeer) {
	t.Helper()
	ln := listen(t, l)
	defer ln.Close()
	return accept(t, ln)
}

// listen makes a listener on a port of its own.
func listen(t *testing.T, l *ringo.Loop) *sock.Listener {
	t.Helper()
	ln, err := sock.Listen(l, "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return ln
}

// accept dials a listener from outside, and takes the connection.
func accept(t *testing.T, ln *sock.Listener) (*sock.Conn, tcpPeer) {
	t.Helper()
	peer := dial(t, ln.Addr().String())
	c, err := ln.AcceptConn()
	if err != nil {
		peer.Close()
		t.Fatal(err)
	}
	return c, peer
}

// dial connects as package net does, with a deadline for all that follows. The
// kernel queues the connection, so a task may call it too.
func dial(t testing.TB, addr string) tcpPeer {
	t.Helper()
	peer, err := socktest.Dial(t, "tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	return peer.(tcpPeer)
}

// A server is loops that serve one address until stop.
type server struct {
	t      testing.TB
	addr   string
	cancel context.CancelFunc
	done   chan struct{}
	err    error
	world  *socktest.Paced // nil: it is on the system

	mu    sync.Mutex
	loops []*ringo.Loop
}

// serve starts a server: fn runs once per loop, with its listener. It is stopped
// with the test at the latest, and then nothing may be left of it.
func serve(t testing.TB, cfg ringo.Config, fn func(l *ringo.Loop, ln *sock.Listener) error) *server {
	t.Helper()
	if cfg.Driver == socktest.World {
		return serveInWorld(t, cfg, fn)
	}
	set, err := sock.Reserve("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return serveSet(t, cfg, set, fn)
}

// serveSet is serve on the system, of a set, which is closed behind it.
func serveSet(t testing.TB, cfg ringo.Config, set *sock.ListenerSet,
	fn func(l *ringo.Loop, ln *sock.Listener) error) *server {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	s := &server{t: t, addr: set.Addr().String(), cancel: cancel, done: make(chan struct{})}
	started := make(chan bool, cfg.Loops)
	go func() {
		defer close(s.done)
		defer set.Close()
		s.err = ringo.Run(ctx, &cfg, func(l *ringo.Loop) error {
			ln, err := set.Listen(l)
			if err != nil {
				return err
			}
			return s.run(l, ln, started, fn)
		})
	}()
	t.Cleanup(s.stop)
	for range cfg.Loops {
		select {
		case <-started:
		case <-s.done:
		}
	}
	return s
}

// run is what a loop runs.
func (s *server) run(l *ringo.Loop, ln *sock.Listener, started chan<- bool,
	fn func(l *ringo.Loop, ln *sock.Listener) error) error {
	s.mu.Lock()
	s.loops = append(s.loops, l)
	s.mu.Unlock()
	started <- true
	if err := fn(l, ln); err != nil && !errors.Is(err, net.ErrClosed) {
		return err
	}
	ln.Close()
	settle(s.t, l)
	return nil
}

// serveInWorld is serve in a world whose peers are the test's goroutines. Loops but the first have listeners of their
// own, to which nobody comes.
func serveInWorld(t testing.TB, cfg ringo.Config, fn func(l *ringo.Loop, ln *sock.Listener) error) *server {
	t.Helper()
	s := &server{t: t}
	started, addr := make(chan bool, cfg.Loops), make(chan string, 1)
	s.world = socktest.StartPaced(t, cfg, func(l *ringo.Loop) error {
		ln, err := sock.Listen(l, "tcp", "127.0.0.1:0")
		if err != nil {
			return err
		}
		if l.Index() == 0 {
			addr <- ln.Addr().String()
		}
		return s.run(l, ln, started, fn)
	})
	s.cancel = func() { s.err = s.world.Stop() }
	t.Cleanup(s.stop)
	for range cfg.Loops {
		select {
		case <-started:
		case <-s.world.Ended():
		}
	}
	select {
	case s.addr = <-addr:
	default: // it has failed, which stop tells
	}
	return s
}

// perConn makes the fn of a server that gives each connection a task.
func perConn(handle func(c *sock.Conn)) func(*ringo.Loop, *sock.Listener) error {
	return func(l *ringo.Loop, ln *sock.Listener) error {
		for {
			c, err := ln.AcceptConn()
			if err != nil {
				return err
			}
			l.Go(func() {
				defer c.Close()
				handle(c)
			})
		}
	}
}

// perRequest makes the fn of a server that serves a Handler.
func perRequest(h *sock.Handler) func(*ringo.Loop, *sock.Listener) error {
	return func(l *ringo.Loop, ln *sock.Listener) error { return sock.Serve(l, ln, h) }
}

// stop ends the server, which must be orderly.
func (s *server) stop() {
	s.t.Helper()
	patience.Within(s.t.Name()+": the server's end", func() {
		s.cancel()
		if s.world == nil {
			<-s.done
		}
	})
	if s.err != nil && !s.t.Failed() {
		s.t.Errorf("the server ended with %v", s.err)
	}
	s.err = nil
}

// dial connects to the server; the connection is closed with the test.
func (s *server) dial() tcpPeer {
	s.t.Helper()
	c := dial(s.t, s.addr)
	s.t.Cleanup(func() { c.Close() })
	return c
}

// stats adds up the counters of the server's loops.
func (s *server) stats() (sum stats.Loop) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, l := range s.loops {
		one := l.Stats()
		sum.Turns += one.Turns
		sum.Parks += one.Parks
		sum.Tasks += one.Tasks
		sum.Workers += one.Workers
		sum.Slots += one.Slots
		sum.Buffers += one.Buffers
		sum.Backoffs += one.Backoffs
		sum.Driver.Enters += one.Driver.Enters
		sum.Driver.Submitted += one.Driver.Submitted
		sum.Driver.Queued += one.Driver.Queued
		sum.Driver.Overflows += one.Driver.Overflows
		sum.Driver.NoBuffers += one.Driver.NoBuffers
	}
	return sum
}

// opStats are the counters of one kind of operation.
func opStats(l *ringo.Loop, name string) (s stats.Op) {
	for _, op := range l.Stats().Ops {
		if op.Op == name {
			s = op
		}
	}
	return s
}

func wantCanceled(t *testing.T, what string, err error) {
	t.Helper()
	if !errors.Is(err, context.Canceled) {
		t.Errorf("%s in a cancelled task: %v, want context.Canceled", what, err)
	}
}

func wantClosed(t *testing.T, what string, err error) {
	t.Helper()
	if !errors.Is(err, net.ErrClosed) {
		t.Errorf("%s: %v, want net.ErrClosed", what, err)
	}
}

// send writes what a peer's kernel has room for, so it doesn't wait.
func send(t *testing.T, peer net.Conn, p string) {
	t.Helper()
	if n, err := peer.Write([]byte(p)); n != len(p) || err != nil {
		t.Fatalf("the peer wrote %d bytes, %v", n, err)
	}
}

// wantRead reads once and wants exactly these bytes.
func wantRead(t *testing.T, c *sock.Conn, size int, want string) {
	t.Helper()
	p := make([]byte, size)
	n, err := c.Read(p)
	if err != nil || string(p[:n]) != want {
		t.Fatalf("Read(%d bytes) = %q, %v, want %q", size, p[:n], err, want)
	}
}

// wantAll reads until the bytes are there.
func wantAll(t *testing.T, c *sock.Conn, want string) {
	t.Helper()
	p := make([]byte, len(want))
	if n, err := io.ReadFull(c, p); err != nil || string(p) != want {
		t.Fatalf("read %q, %v, want %q", p[:n], err, want)
	}
}

func wantEOF(t *testing.T, c *sock.Conn) {
	t.Helper()
	if n, err := c.Read(make([]byte, 8)); n != 0 || err != io.EOF {
		t.Fatalf("Read() = %d, %v, want 0 and io.EOF bare", n, err)
	}
}

// wantPeer wants these bytes at the peer's end.
func wantPeer(t *testing.T, l *ringo.Loop, peer net.Conn, want string) {
	t.Helper()
	p := make([]byte, len(want))
	offloaded(t, l, func() error {
		_, err := io.ReadFull(peer, p)
		return err
	})
	if string(p) != want {
		t.Fatalf("the peer read %q, want %q", p, want)
	}
}

func wantPeerEOF(t *testing.T, l *ringo.Loop, peer net.Conn) {
	t.Helper()
	var n int
	var err error
	offloaded(t, l, func() error {
		n, err = peer.Read(make([]byte, 8))
		return nil
	})
	if n != 0 || err != io.EOF {
		t.Fatalf("the peer's Read() = %d, %v, want the end of the stream", n, err)
	}
}

// fill writes until the peer's and the own buffers take nothing any more, and gives
// the count.
func fill(t *testing.T, l *ringo.Loop, c *sock.Conn) (total int) {
	t.Helper()
	c.SetBatching(false)
	defer c.SetBatching(true)
	filling := new(socktest.Filling)
	for full := false; !full; {
		took := 0
		for _, size := range []int{64 << 10, 1} {
			chunk := make([]byte, size)
			for range 100 { // room that comes meanwhile is not for single bytes
				c.SetWriteDeadline(time.Now().Add(10 * time.Millisecond))
				n, err := c.Write(chunk)
				if took += n; n == 0 {
					wantTimeout(t, "Write to a full socket", err)
					break
				}
			}
		}
		c.SetWriteDeadline(time.Time{})
		total += took
		full = filling.Full(descriptor(c), took)
	}
	return total
}

// descriptor is a connection's, if it has one of the system's.
func descriptor(c *sock.Conn) uintptr {
	if socktest.InWorld() {
		return socktest.NoDescriptor
	}
	return sock.Descriptor(c)
}

func wantTimeout(t *testing.T, what string, err error) {
	t.Helper()
	var timeout net.Error
	if !errors.Is(err, os.ErrDeadlineExceeded) || !errors.As(err, &timeout) || !timeout.Timeout() {
		t.Errorf("%s: %v, want os.ErrDeadlineExceeded", what, err)
	}
}

func read(c conn) error { _, err := c.Read(make([]byte, 8)); return err }

func write(c conn) error { _, err := c.Write([]byte("x")); return err }

// reset makes the peer vanish with a RST.
func reset(peer tcpPeer) {
	peer.SetLinger(0)
	peer.Close()
}

// freeAddr is an address where nobody listens.
func freeAddr(t *testing.T) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	return ln.Addr().String()
}

// echo sends bytes and reads them back at the same time.
func echo(t *testing.T, peer tcpPeer, n int) {
	t.Helper()
	sent := make(chan error, 1)
	msg := make([]byte, n)
	pattern(msg, 0)
	go func() {
		_, err := peer.Write(msg)
		sent <- err
	}()
	got := make([]byte, n)
	if _, err := io.ReadFull(peer, got); err != nil {
		t.Error(err)
	} else if bad := mismatch(got, 0); bad >= 0 {
		t.Errorf("wrong byte at %d of %d", bad, n)
	}
	if err := <-sent; err != nil {
		t.Error(err)
	}
}

// onGoroutine runs f on an ordinary goroutine while the calling task waits, in Ringo's way.
func onGoroutine(t *testing.T, l *ringo.Loop, f func()) {
	offloaded(t, l, func() error { f(); return nil })
}

// awaitIn waits on a channel beside the loop.
func awaitIn[T any](l *ringo.Loop, ch <-chan T) error {
	return l.Offload(func(context.Context) error { <-ch; return nil })
}

func skipAllocs(t *testing.T) {
	t.Helper()
	if race.Enabled {
		t.Skip("the race detector allocates")
	}
}

// loopAccepts has a task come to a listener, from which the loop accepts from then on, until a foreign caller comes.
func loopAccepts(t *testing.T, l *ringo.Loop, ln *sock.Listener) {
	peer := dial(t, ln.Addr().String())
	if err := l.Go(func() { acceptOne(t, ln, peer) }).Wait(); err != nil {
		t.Error(err)
	}
}

// otherLoop is another loop of the same Run.
func otherLoop(l *ringo.Loop) *ringo.Loop {
	for _, o := range l.Loops() {
		if o != l {
			return o
		}
	}
	panic("one loop only")
}

// detachedConns runs f on a goroutine, with what it needs to get connections that no task has touched.
func detachedConns(t *testing.T, cfg ringo.Config,
	f func(l *ringo.Loop, next func() (ours *sock.Conn, peer tcpPeer))) {
	done := make(chan struct{})
	s := serve(t, cfg, func(l *ringo.Loop, ln *sock.Listener) error {
		defer close(done)
		onGoroutine(t, l, func() {
			f(l, func() (*sock.Conn, tcpPeer) {
				peer := dial(t, ln.Addr().String())
				c, err := ln.AcceptConn()
				if err != nil {
					t.Fatal(err)
				}
				return c, peer
			})
		})
		return nil
	})
	<-done
	s.stop()
}

// idleTurns counts the turns of the server in a span of 30 ms, in the quietest of
// some: what is still on its way may disturb the first.
func idleTurns(t *testing.T, s *server) (least uint64) {
	t.Helper()
	least = 1 << 62
	for range 5 {
		before := s.stats().Turns
		time.Sleep(30 * time.Millisecond)
		if least = min(least, s.stats().Turns-before); least < 10 {
			break
		}
	}
	return least
}

// framed makes frames of these sizes, filled from the stream.
func framed(sizes ...int) (msg []byte) {
	for _, n := range sizes {
		msg = binary.BigEndian.AppendUint32(msg, uint32(n))
		at := len(msg)
		msg = append(msg, make([]byte, n)...)
		pattern(msg[at:], at)
	}
	return msg
}

// wantEcho sends the pieces, each a moment after the other, and wants all of it back.
func wantEcho(t *testing.T, peer tcpPeer, pieces ...[]byte) {
	t.Helper()
	want := bytes.Join(pieces, nil)
	go func() {
		for _, p := range pieces {
			if _, err := peer.Write(p); err != nil {
				t.Error(err)
				return
			}
			time.Sleep(20 * time.Microsecond)
		}
	}()
	got := make([]byte, len(want))
	if n, err := io.ReadFull(peer, got); err != nil {
		t.Fatalf("%d bytes of %d came back: %v", n, len(want), err)
	}
	if !bytes.Equal(got, want) {
		t.Fatal("what came back is not what was sent")
	}
}

// frames echoes length-prefixed frames: a handler in the style to aim at.
func frames(c *sock.Conn) error {
	for c.Buffered() >= 4 {
		head, _ := c.Peek(4)
		size := binary.BigEndian.Uint32(head)
		if size > maxFrame {
			return errTooLong
		}
		n := 4 + int(size)
		if c.Buffered() < n {
			break // called again when more has come
		}
		frame, _ := c.Peek(n)
		if _, err := c.Write(frame); err != nil {
			return err
		}
		c.Discard(n)
		c.SetReadDeadline(c.Loop().Now().Add(time.Minute))
	}
	return nil
}

// addrsOf parses addresses.
func addrsOf(list ...string) (addrs []netip.Addr) {
	for _, s := range list {
		addrs = append(addrs, netip.MustParseAddr(s))
	}
	return addrs
}

func newNameServer(t testing.TB, answers map[string][]netip.Addr) *nameServer {
	t.Helper()
	c, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	s := &nameServer{conn: c, answers: answers, gates: map[uint16]chan struct{}{}}
	served := make(chan struct{})
	go func() {
		defer close(served)
		s.serve()
	}()
	t.Cleanup(func() {
		c.Close()
		<-served
		s.mu.Lock()
		defer s.mu.Unlock()
		s.closed = true
		for _, c := range s.asking {
			c.Close()
		}
	})
	return s
}

// waiter waits for what a goroutine tells, as the caller may.
func waiter(c *sock.Conn) func(<-chan error) error {
	return func(from <-chan error) (err error) {
		offload(c.Loop(), func(context.Context) error { err = <-from; return nil })
		return err
	}
}

// offload makes a call that blocks, as the caller may.
func offload(l *ringo.Loop, call func(context.Context) error) error {
	if !(*loop.Loop)(l).IsCurrent() {
		return call(context.Background())
	}
	return l.Offload(call)
}

func wantInUse(t *testing.T, what string, err error) {
	t.Helper()
	if !errors.Is(err, posix.EADDRINUSE) {
		t.Errorf("%s: %v, want EADDRINUSE", what, err)
	}
}

// shape is what a caller can tell of an error.
func shape(err error) string {
	if err == nil {
		return "nil"
	}
	var b strings.Builder
	var op *net.OpError
	if errors.As(err, &op) {
		if error(op) != err {
			b.WriteString("wrapped ")
		}
		fmt.Fprintf(&b, "%s %s source=%v addr=%v", op.Op, op.Net, op.Source != nil, op.Addr != nil)
	} else {
		fmt.Fprintf(&b, "bare %v", err)
	}
	var call *os.SyscallError
	if errors.As(err, &call) {
		fmt.Fprintf(&b, " call=%s", call.Syscall)
	}
	var errno posix.Errno
	if errors.As(err, &errno) {
		fmt.Fprintf(&b, " errno=%d", int(errno))
	}
	var timeout interface{ Timeout() bool }
	if errors.As(err, &timeout) {
		fmt.Fprintf(&b, " timeout=%v", timeout.Timeout())
	}
	for _, known := range []struct {
		name string
		err  error
	}{{"net.ErrClosed", net.ErrClosed}, {"os.ErrDeadlineExceeded", os.ErrDeadlineExceeded}, {"io.EOF", io.EOF},
		{"context.Canceled", context.Canceled}, {"context.DeadlineExceeded", context.DeadlineExceeded}} {
		if errors.Is(err, known.err) {
			b.WriteString(" " + known.name)
		}
	}
	for _, typ := range []struct {
		name string
		as   any
	}{{"AddrError", new(*net.AddrError)}, {"UnknownNetworkError", new(net.UnknownNetworkError)},
		{"DNSError", new(*net.DNSError)}} {
		if errors.As(err, typ.as) {
			b.WriteString(" " + typ.name)
		}
	}
	return b.String()
}

// besideLoop runs f on a goroutine, beside a loop with a listener that nobody else uses.
func besideLoop(t *testing.T, cfg ringo.Config, f func(t *testing.T, l *ringo.Loop, ln *sock.Listener)) {
	done := make(chan struct{})
	s := serve(t, cfg, func(l *ringo.Loop, ln *sock.Listener) error {
		defer close(done)
		onGoroutine(t, l, func() { f(t, l, ln) })
		return nil
	})
	<-done
	s.stop()
}

// holding keeps the loop from all else while f runs, on the calling goroutine.
func holding(t *testing.T, l *ringo.Loop, f func()) {
	t.Helper()
	held, release := make(chan bool), make(chan bool)
	if err := l.Post(func() { close(held); <-release }); err != nil {
		t.Fatal(err)
	}
	<-held
	defer close(release)
	f()
}
