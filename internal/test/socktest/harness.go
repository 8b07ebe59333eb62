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

// World is the driver name of a Config that stands for a simulated world: OnLoop runs its body in one.
const World = "sim"

// EachPlace runs f as EachDriver does, and then for simulated worlds, unless the package's list (with reasons) excuses
// the test from worlds. In a world only tasks act: those of the body that OnLoop gets, and the peers that Dial makes.
func EachPlace(t *testing.T, of string, f func(t *testing.T, cfg ringo.Config)) {
	t.Helper()
	if !OnlyWorlds() {
		EachDriver(t, f)
	}
	EachWorld(t, of, f)
}

// EachWorld is the part of EachPlace for worlds.
func EachWorld(t *testing.T, of string, f func(t *testing.T, cfg ringo.Config)) {
	t.Helper()
	if forced := os.Getenv("RINGO_DRIVER"); forced == "" || forced == World {
		eachWorld(t, of, f)
	}
}

// onlyWorldsEnv is set in a process that runs tests in worlds only, including those that are excused. Its value is the
// time limit of a test.
const onlyWorldsEnv = "RINGO_TEST_WORLDS"

// OnlyWorlds reports whether this process runs tests in worlds only.
func OnlyWorlds() bool { return os.Getenv(onlyWorldsEnv) != "" }

// InWorld reports whether the caller is a task of a simulated world.
func InWorld() bool { return loop.Home() != nil }

// Peer is the other end of a connection: one of package net, or in a world one that any task of the test may use.
type Peer interface {
	Stream
	io.ReaderFrom
	SetLinger(sec int) error
	SetNoDelay(on bool) error
}

// Stream is a Peer on any network.
type Stream interface {
	net.Conn
	syscall.Conn
	CloseRead() error
	CloseWrite() error
	SetReadBuffer(bytes int) error
	SetWriteBuffer(bytes int) error
	File() (*os.File, error)
}

// Dial connects as a peer of a test, with a deadline for everything that follows. A task may call it, too: the kernel
// queues the connection, so Dial does not wait for the task to accept it.
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

// Now returns the time that deadlines of l's tasks refer to, and by which a test can measure how long a task has
// waited.
func Now(l *ringo.Loop) time.Time {
	if !(*loop.Loop)(l).World().Beside() {
		return l.Now()
	}
	return time.Now()
}

// EachDriver runs f for each driver that testmain.EachDriver selects, and for none if RINGO_DRIVER asks for worlds.
func EachDriver(t *testing.T, f func(t *testing.T, cfg ringo.Config)) {
	t.Helper()
	if testmain.Drivers()[0] == World {
		return
	}
	testmain.EachDriver(t, Available, func(t *testing.T, name string) {
		f(t, ringo.Config{Driver: name, Loops: 1, Grace: 5 * time.Second, Logger: testmain.Reports(t)})
	})
}

var probed sync.Map // driver name → func() error that returns Available's result

// Available reports why a driver is not available here; it probes each driver once. A driver in whose place
// RINGO_DRIVER puts another one counts as unavailable.
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
		return nil // the tests have to find any other error
	})
	once, _ := probed.LoadOrStore(driver, ask)
	return once.(func() error)()
}

// OnLoop runs body as the first task of one loop, and then checks that nothing is left.
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

// RunLoops is ringo.Run; if it hangs, the process ends with the stacks of all goroutines.
func RunLoops(t testing.TB, ctx context.Context, cfg *ringo.Config, fn func(l *ringo.Loop) error) (err error) {
	t.Helper()
	patience.Within(t.Name(), func() { err = ringo.Run(ctx, cfg, fn) })
	return err
}

var left atomic.Int64

// Left returns how many slots and buffers loops had in use after their tests had closed everything. A test that sees
// some fails by itself; TestMain checks the sum for tests that end before they look.
func Left() int { return int(left.Load()) }

// Settle waits until the calling task is alone on its loop, with no op in flight and no buffer held, and fails the test
// if that does not happen in time.
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

// TasksOf describes what the tasks of loops are doing, one line each.
func TasksOf(loops []*ringo.Loop) (text string) {
	for _, l := range loops {
		for _, task := range l.Tasks() {
			text += fmt.Sprintf("\n\tloop %d: %s, %s for %v: %s",
				task.Loop, task.Name, task.State, task.Since, task.Wait)
		}
	}
	return text
}

// Pause waits for about a millisecond between two checks of something that others do. l is the loop of the calling
// task, or nil for a caller that is no task. In a cancelled task Sleep fails at once, so Pause waits for a new task
// instead: only a join still waits there.
func Pause(l *ringo.Loop) {
	if l == nil {
		time.Sleep(time.Millisecond)
	} else if l.Sleep(time.Millisecond) != nil {
		l.Go(func() {}).Wait()
	}
}

// Eventually waits until ok returns true, and fails the test if it does not in time. It is for changes in the kernel or
// on other threads that come without a notice.
func Eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	EventuallyOn(t, nil, what, ok)
}

// EventuallyOn is Eventually for a task: it lets other tasks run meanwhile.
func EventuallyOn(t testing.TB, l *ringo.Loop, what string, ok func() bool) {
	t.Helper()
	if err := AwaitOn(l, ok); err != nil {
		t.Fatalf("%s: %v\n\n%s", what, err, patience.Stacks())
	}
}

// virtualMax is how long anything that must come may take in a world, by the world's clock.
const virtualMax = 20 * time.Second

// AwaitOn is EventuallyOn without a test to fail: it returns an error instead. l is the loop of the calling task, or
// nil for a caller that is no task.
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

// Offloaded runs f on an ordinary goroutine while the calling task is parked. Tests use it for calls of peers that
// block.
func Offloaded(t *testing.T, l *ringo.Loop, f func() error) {
	t.Helper()
	if err := l.Offload(func(context.Context) error { return f() }); err != nil {
		t.Fatal(err)
	}
}

// Others lets the ready tasks run until they wait, and then lets the driver collect what they wait for.
func Others(l *ringo.Loop) {
	l.Sleep(0)
	l.Sleep(0)
}

// InIterator runs f in an iterator of the calling task; iter.Pull gives the iterator a goroutine of its own.
func InIterator(f func()) {
	next, stop := iter.Pull(func(yield func(bool) bool) {
		f()
		yield(true)
	})
	defer stop()
	next()
}

// ByteAt returns byte i of the endless stream that tests send. Within a few megabytes each place differs from its
// neighbours and from places a power of two away, so that lost, repeated and moved bytes are noticed.
func ByteAt(i int) byte { return blocks[byte(i>>8)*29^byte(i>>16)*71^byte(i>>24)][byte(i)] }

// blocks are the 256 different pieces that the stream consists of. To compute each byte by itself would take most of
// the tests' time with -race.
var blocks = func() (b [256][256]byte) {
	for k := range b {
		for i := range b[k] {
			b[k][i] = byte(k) ^ byte(i)
		}
	}
	return b
}()

// block returns the stream from place at on: at most n bytes, and no further than the end of a piece.
func block(at, n int) []byte {
	b := &blocks[byte(at>>8)*29^byte(at>>16)*71^byte(at>>24)]
	from := at & 255
	return b[from:min(256, from+n)]
}

// Pattern fills p with the stream from place at on.
func Pattern(p []byte, at int) {
	for len(p) > 0 {
		n := copy(p, block(at, len(p)))
		p, at = p[n:], at+n
	}
}

// Prefix returns the first n bytes of the stream. All callers share them and must not write to them.
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

// WantBytes reads len(want) bytes and compares them with want.
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

// WantEOF reads once and wants the end of the stream.
func WantEOF(r io.Reader) error {
	if n, err := r.Read(make([]byte, 1)); n != 0 || err != io.EOF {
		return fmt.Errorf("Read = %d, %v, want the end", n, err)
	}
	return nil
}

// ReadAll is io.ReadAll with a buffer that has the given room from the start: with -race growing it takes most of the
// time.
func ReadAll(r io.Reader, room int) ([]byte, error) {
	var b bytes.Buffer
	b.Grow(room + bytes.MinRead)
	_, err := b.ReadFrom(r)
	return b.Bytes(), err
}

// Mismatch returns the place of the first byte of p that differs from the stream from at on, or -1 if none does.
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

// Meanwhile calls f again and again on a goroutine. stop ends that, and returns once the goroutine has ended.
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
