package socktest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"ringo"
	"ringo/internal/loop"
	"ringo/internal/test/patience"
	"ringo/internal/test/testmain"
	"ringo/stats"
)

// World is the driver of a Config that stands for a simulated world: OnLoop runs its body there.
const World = "sim"

// EachPlace is EachDriver, and runs f for simulated worlds as well, unless a list with reasons excuses the test of the
// package from them. In a world nobody acts but tasks: what OnLoop is given, and the peers that Dial makes.
func EachPlace(t *testing.T, of string, f func(t *testing.T, cfg ringo.Config)) {
	t.Helper()
	if !OnlyWorlds() {
		EachDriver(t, f)
	}
	EachWorld(t, of, f)
}

// EachWorld is the part of EachPlace that is about worlds.
func EachWorld(t *testing.T, of string, f func(t *testing.T, cfg ringo.Config)) {
	t.Helper()
	if forced := os.Getenv("RINGO_DRIVER"); forced == "" || forced == World {
		eachWorld(t, of, f)
	}
}

// onlyWorldsEnv has a process run tests in worlds only, those that are excused as well. It says how long one may take.
const onlyWorldsEnv = "RINGO_TEST_WORLDS"

// OnlyWorlds reports whether tests are to be run in worlds only.
func OnlyWorlds() bool { return os.Getenv(onlyWorldsEnv) != "" }

// InWorld reports whether a task of a simulated world calls.
func InWorld() bool { return loop.Home() != nil }

// Peer is the other end of a connection: package net's, or in a world one that any task of the test's may use.
type Peer interface {
	Stream
	io.ReaderFrom
	SetLinger(sec int) error
	SetNoDelay(on bool) error
}

// Stream is a Peer by any network.
type Stream interface {
	net.Conn
	syscall.Conn
	CloseRead() error
	CloseWrite() error
	SetReadBuffer(bytes int) error
	SetWriteBuffer(bytes int) error
	File() (*os.File, error)
}

// Dial connects as a peer of a test, with a deadline for all that follows. The kernel queues the connection, so a task
// may call it, too.
func Dial(t testing.TB, network, address string) (Stream, error) {
	of := pacedOf(t)
	if s := worldHere(); s != nil {
		return s.dialPeer(of, network, address)
	}
	if of != nil {
		return of.s.dialPeer(of, network, address)
	}
	c, err := net.DialTimeout(network, address, patience.Max)
	if err != nil {
		return nil, err
	}
	return c.(Stream), c.SetDeadline(patience.Deadline())
}

// Now is the time by which deadlines of a task are counted, and by which it can be told how long it has waited.
func Now(l *ringo.Loop) time.Time {
	if !(*loop.Loop)(l).World().Beside() {
		return l.Now()
	}
	return time.Now()
}

// EachDriver runs f for the drivers that testmain.EachDriver plays; none is where RINGO_DRIVER asks for worlds.
func EachDriver(t *testing.T, f func(t *testing.T, cfg ringo.Config)) {
	t.Helper()
	if testmain.Drivers()[0] == World {
		return
	}
	testmain.EachDriver(t, Available, func(t *testing.T, name string) {
		f(t, ringo.Config{Driver: name, Loops: 1, Grace: 5 * time.Second, Logger: testmain.Reports(t)})
	})
}

var probed sync.Map // the error by the driver's name

// Available asks once whether a driver can be had. One that RINGO_DRIVER puts another in place of can't.
func Available(driver string) error {
	ask := sync.OnceValue(func() error {
		var got stats.Info
		err := ringo.Run(context.Background(), &ringo.Config{Driver: driver, Loops: 1}, func(l *ringo.Loop) error {
			got = l.Info()
			return nil
		})
		if err == nil && driver != "auto" && got.Name != driver {
			return fmt.Errorf("a loop that is to have %s has %s: %s", driver, got.Name, got.Reason)
		}
		var setup *ringo.SetupError
		if errors.As(err, &setup) {
			return setup
		}
		return nil // anything else is for the tests to find
	})
	once, _ := probed.LoadOrStore(driver, ask)
	return once.(func() error)()
}

// OnLoop runs body as the first task of one loop, and then nothing may be left.
func OnLoop(t *testing.T, cfg ringo.Config, body func(l *ringo.Loop)) {
	t.Helper()
	cfg.Loops = 1
	if cfg.Driver == World {
		onLoopInWorlds(t, cfg, body)
		return
	}
	err := RunLoops(t, context.Background(), &cfg, func(l *ringo.Loop) error {
		body(l)
		Settle(t, l)
		return nil
	})
	if err != nil && !t.Failed() && !t.Skipped() { // a task that skips calls runtime.Goexit
		t.Errorf("Run: %v", err)
	}
}

// RunLoops is ringo.Run that ends the process with all stacks if it hangs.
func RunLoops(t testing.TB, ctx context.Context, cfg *ringo.Config, fn func(l *ringo.Loop) error) (err error) {
	t.Helper()
	patience.Within(t.Name(), func() { err = ringo.Run(ctx, cfg, fn) })
	return err
}

var left atomic.Int64

// Left counts the slots and buffers that loops had in use when their tests had closed everything. A test that sees
// some fails by itself; the gate of TestMain is for those that stop before they look.
func Left() int { return int(left.Load()) }

// Settle waits until the calling task is alone on its loop, with no op in flight and no buffer held, and fails the test
// if that doesn't come.
func Settle(t testing.TB, l *ringo.Loop) {
	t.Helper()
	var s stats.Loop
	alone := func() bool {
		s = l.Stats()
		return s.Tasks == 1 && s.Slots == 0 && s.Buffers == 0
	}
	err := AwaitOn(l, alone)
	if err == nil {
		return
	}
	left.Add(int64(s.Slots + s.Buffers))
	t.Errorf("left on the loop: %d tasks beside the first, %d slots, %d buffers: %v; tasks:%s",
		s.Tasks-1, s.Slots, s.Buffers, err, TasksOf([]*ringo.Loop{l}))
}

// TasksOf is what the tasks of loops do, a line each.
func TasksOf(loops []*ringo.Loop) (text string) {
	for _, l := range loops {
		for _, task := range l.Tasks() {
			text += fmt.Sprintf("\n\tloop %d: %s, %s for %v: %s",
				task.Loop, task.Name, task.State, task.Since, task.Wait)
		}
	}
	return text
}

// Pause is between two looks at something that others do, for whoever looks: a task of a loop, also one that was
// cancelled, when only a join still waits; or somebody else, without one.
func Pause(l *ringo.Loop) {
	if l == nil {
		time.Sleep(time.Millisecond)
	} else if l.Sleep(time.Millisecond) != nil {
		l.Go(func() {}).Wait()
	}
}

// Eventually waits until ok, and fails the test if that doesn't come. It is for what happens in the kernel or on other
// threads and tells nobody.
func Eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	EventuallyOn(t, nil, what, ok)
}

// EventuallyOn is Eventually for a task, which lets the others run meanwhile.
func EventuallyOn(t testing.TB, l *ringo.Loop, what string, ok func() bool) {
	t.Helper()
	if err := AwaitOn(l, ok); err != nil {
		t.Fatalf("%s: %v\n\n%s", what, err, patience.Stacks())
	}
}

// virtualMax is how long anything may take in a world that must come there.
const virtualMax = 20 * time.Second

// AwaitOn is EventuallyOn for those who have no test to fail: it waits until ok, as a task of l, or as somebody else if
// l is nil.
func AwaitOn(l *ringo.Loop, ok func() bool) error {
	if l == nil || (*loop.Loop)(l).World().Beside() {
		return patience.Poll(func() { Pause(l) }, ok)
	}
	for end := l.Now().Add(virtualMax); !ok(); Pause(l) {
		if l.Now().After(end) {
			return fmt.Errorf("not within %v of the world's time", virtualMax)
		}
	}
	return nil
}

// Offloaded runs f on an ordinary goroutine while the calling task is parked: what peers do that waits.
func Offloaded(t *testing.T, l *ringo.Loop, f func() error) {
	t.Helper()
	if err := l.Offload(func(context.Context) error { return f() }); err != nil {
		t.Fatal(err)
	}
}

// Others lets the tasks that are ready run until they wait, and the driver take in what they wait for.
func Others(l *ringo.Loop) {
	l.Sleep(0)
	l.Sleep(0)
}

// InIterator runs f in an iterator of the calling task, which has a goroutine of its own.
func InIterator(f func()) {
	next, stop := iter.Pull(func(yield func(bool) bool) {
		f()
		yield(true)
	})
	defer stop()
	next()
}

// ByteAt is the byte at a place of the endless stream that tests send: each place of a few megabytes can be told from
// its neighbours and from places a power of two away.
func ByteAt(i int) byte { return blocks[byte(i>>8)*29^byte(i>>16)*71^byte(i>>24)][byte(i)] }

// blocks are the pieces of the stream, of which any is made: bytes one by one would take most of the tests' time with
// -race.
var blocks = func() (b [256][256]byte) {
	for k := range b {
		for i := range b[k] {
			b[k][i] = byte(k) ^ byte(i)
		}
	}
	return b
}()

// block is a piece of the stream from a place on, of n bytes at most.
func block(at, n int) []byte {
	b := &blocks[byte(at>>8)*29^byte(at>>16)*71^byte(at>>24)]
	from := at & 255
	return b[from:min(256, from+n)]
}

// Pattern fills p with the stream from a place on.
func Pattern(p []byte, at int) {
	for len(p) > 0 {
		n := copy(p, block(at, len(p)))
		p, at = p[n:], at+n
	}
}

// Prefix is the first n bytes of the stream, which all who ask share: nobody writes to them.
func Prefix(n int) []byte {
	shared.Lock()
	defer shared.Unlock()
	if n > len(shared.first) {
		shared.first = make([]byte, n)
		Pattern(shared.first, 0)
	}
	return shared.first[:n:n]
}

var shared struct {
	sync.Mutex
	first []byte
}

// WantBytes reads bytes and compares them.
func WantBytes(r io.Reader, want []byte) error {
	got := make([]byte, len(want))
	if n, err := io.ReadFull(r, got); err != nil {
		return fmt.Errorf("%d of %d bytes, then %w", n, len(want), err)
	}
	if !bytes.Equal(got, want) {
		return fmt.Errorf("the first bytes are %.40q, want %.40q", got, want)
	}
	return nil
}

// WantEOF reads the end of the stream.
func WantEOF(r io.Reader) error {
	if n, err := r.Read(make([]byte, 1)); n != 0 || err != io.EOF {
		return fmt.Errorf("Read = %d, %v, want the end", n, err)
	}
	return nil
}

// ReadAll is io.ReadAll with room for so much from the beginning on: to grow takes most of the time with -race.
func ReadAll(r io.Reader, room int) ([]byte, error) {
	var b bytes.Buffer
	b.Grow(room + bytes.MinRead)
	_, err := b.ReadFrom(r)
	return b.Bytes(), err
}

// Mismatch returns the place of the first wrong byte, -1 if p is the stream from at on.
func Mismatch(p []byte, at int) int {
	for len(p) > 0 {
		want := block(at, len(p))
		if !bytes.Equal(p[:len(want)], want) {
			for i := range want {
				if p[i] != want[i] {
					return at + i
				}
			}
		}
		p, at = p[len(want):], at+len(want)
	}
	return -1
}

// Meanwhile has a goroutine do f again and again, until it is told to stop, and has.
func Meanwhile(f func()) (stop func()) {
	over, stopped := make(chan bool), make(chan bool)
	go func() {
		defer close(stopped)
		for {
			select {
			case <-over:
				return
			default:
				f()
			}
		}
	}()
	return func() {
		close(over)
		<-stopped
	}
}
