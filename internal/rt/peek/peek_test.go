package peek

import (
	"iter"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"ringo/internal/rt/gmark"
	"ringo/internal/test/patience"
)

// On the systems that are tested the runtime's layout is the one that is assumed: where it is not, holds are found by
// all stacks, and somebody has to look.
func TestWorks(t *testing.T) {
	if !framePointers {
		t.Skipf("no frame pointers on %s/%s", runtime.GOOS, runtime.GOARCH)
	}
	var p Peeker
	if !copyOf(p.before[:], uint64(gmark.Current())) {
		t.Skip("the kernel refuses process_vm_readv")
	}
	if !Works() {
		t.Fatalf("%s on %s: the place of a goroutine that waits is not found", runtime.Version(), runtime.GOARCH)
	}
}

// coroutine runs f in a coroutine of a locked goroutine, as a loop runs its tasks.
func coroutine(t *testing.T, f func()) gmark.G {
	g, ended := make(chan gmark.G), make(chan struct{})
	go func() {
		defer close(ended)
		runtime.LockOSThread()
		next, stop := iter.Pull(func(func(int) bool) {
			g <- gmark.Current()
			f()
		})
		defer stop()
		next()
	}()
	t.Cleanup(func() { <-ended })
	return <-g
}

// functions gives the names of those on a stack.
func functions(pcs []uintptr) (names []string) {
	frames := runtime.CallersFrames(pcs)
	for {
		f, more := frames.Next()
		names = append(names, f.Function)
		if !more {
			return names
		}
	}
}

// until looks at g until it is in a state, in functions with such names: it may be on its way there yet.
func until(t *testing.T, g gmark.G, want State, before func(), names ...string) {
	t.Helper()
	var p Peeker
	var s State
	var stack []string
	err := patience.Poll(runtime.Gosched, func() bool {
		if before != nil {
			before()
		}
		var pcs []uintptr
		s, pcs = p.At(g)
		stack = functions(pcs)
		return s == want && holds(stack, names...)
	})
	if err != nil {
		t.Errorf("state %d on %q, want %d in %q: %v", s, stack, want, names, err)
	}
}

// holds reports whether the names are in a stack in this order.
func holds(stack []string, names ...string) bool {
	for _, f := range stack {
		if len(names) > 0 && strings.Contains(f, names[0]) {
			names = names[1:]
		}
	}
	return len(names) == 0
}

// deep calls f with n frames of its own.
func deep(n int, f func()) int {
	if n == 0 {
		f()
		return 0
	}
	return deep(n-1, f) + 1
}

// Ways to stand somewhere, and to go on.
func byMutex() (hold, release func()) {
	var mu sync.Mutex
	mu.Lock()
	return mu.Lock, mu.Unlock
}

func byChannel() (hold, release func()) {
	ch := make(chan int)
	return func() { <-ch }, func() { close(ch) }
}

func bySelect() (hold, release func()) {
	ch, other := make(chan int), make(chan int)
	hold = func() {
		select {
		case <-ch:
		case <-other:
		}
	}
	return hold, func() { close(ch) }
}

func byPipe() (hold, release func()) {
	r, w, err := os.Pipe()
	if err != nil {
		panic(err)
	}
	return func() { r.Read(make([]byte, 1)); r.Close() }, func() { w.Close() }
}

func byDepth() (hold, release func()) {
	ch := make(chan int)
	return func() { deep(5000, func() { <-ch }) }, func() { close(ch) }
}

func byComputing() (hold, release func()) {
	var over atomic.Bool
	hold = func() {
		for !over.Load() {
			deep(100, func() {})
		}
	}
	return hold, func() { over.Store(true) }
}

func TestAt(t *testing.T) {
	if !Works() {
		t.Skip("see TestWorks")
	}
	for _, c := range []struct {
		name   string
		make   func() (hold, release func())
		state  State
		before func()
		want   []string
	}{
		{"mutex", byMutex, Waiting, nil, []string{"sync.(*Mutex).Lock"}},
		{"channel", byChannel, Waiting, nil, []string{"runtime.chanrecv1", "peek.byChannel.func1"}},
		{"select", bySelect, Waiting, nil, []string{"runtime.selectgo", "peek.bySelect.func1"}},
		{"network", byPipe, Waiting, nil, []string{"internal/poll.runtime_pollWait", "os.(*File).Read"}},
		{"deep", byDepth, Waiting, nil, []string{"runtime.chanrecv1", "peek.deep", "peek.byDepth.func1"}},
		{"computing", byComputing, Runnable, Pause, []string{"peek.byComputing.func1"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			hold, release := c.make()
			until(t, coroutine(t, hold), c.state, c.before,
				append(slices.Clone(c.want), "peek.coroutine.", "runtime.goexit")...)
			release()
		})
	}
}

// What is no goroutine, or none any more, is none.
func TestNotAGoroutine(t *testing.T) {
	var p Peeker
	for _, g := range []gmark.G{0, 8, 1 << 30, ^gmark.G(0) >> 1} {
		if s, pcs := p.At(g); s != Unknown || pcs != nil {
			t.Errorf("%#x is in state %d, at %v", g, s, pcs)
		}
	}
}

// Looking does nothing to a goroutine that goes on all the time, whose stack grows and moves, and ends.
func TestLookingAtWhatMoves(t *testing.T) {
	if !Works() {
		t.Skip("see TestWorks")
	}
	const rounds = 300
	g := make(chan gmark.G, 1)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for i := range rounds {
			ended := make(chan struct{})
			go func() {
				defer close(ended)
				select {
				case <-g:
				default:
				}
				g <- gmark.Current()
				for depth := range 30 {
					deep(depth*i, runtime.Gosched)
				}
			}()
			<-ended
		}
	}()
	var p Peeker
	looks := 0
	for now := <-g; ; looks++ {
		select {
		case <-done:
			if looks == 0 {
				t.Error("nobody looked")
			}
			return
		case now = <-g:
		default:
		}
		if s, pcs := p.At(now); s != Unknown && s != Running && len(functions(pcs)) == 0 {
			t.Errorf("state %d without a stack", s)
		}
		runtime.Gosched() // on one processor what moves would move every 10 ms
	}
}

func TestMark(t *testing.T) {
	var m gmark.Mark
	g, first, ok := Mark(&m)
	if !ok {
		t.Skip("the kernel refuses process_vm_readv")
	}
	if g != 0 {
		t.Errorf("an unset mark says %#x", g)
	}
	me := gmark.Current()
	m.Set(me)
	g, second, _ := Mark(&m)
	m.Again()
	again, third, _ := Mark(&m)
	m.Clear()
	none, fourth, _ := Mark(&m)
	if g != me || again != me || none != 0 || second == first || third == second || fourth != third {
		t.Errorf("marked %#x: %#x, %#x and %#x, numbers %d, %d, %d, %d", me, g, again, none,
			first, second, third, fourth)
	}
}

// What a look costs beside taking all stacks.
func BenchmarkAt(b *testing.B) {
	if !Works() {
		b.Skip("see TestWorks")
	}
	for _, others := range []int{0, 1000} {
		var mu sync.Mutex
		mu.Lock()
		gs := make(chan gmark.G)
		var all sync.WaitGroup
		var g gmark.G
		for range others + 1 {
			all.Go(func() { gs <- gmark.Current(); mu.Lock(); mu.Unlock() })
			g = <-gs
		}
		name := "alone"
		if others > 0 {
			name = "among=1000"
		}
		b.Run(name, func(b *testing.B) {
			var p Peeker
			for b.Loop() {
				p.At(g)
			}
		})
		b.Run(name+"/pause", func(b *testing.B) {
			for b.Loop() {
				Pause()
			}
		})
		b.Run(name+"/all", func(b *testing.B) {
			buf := make([]byte, 4<<20)
			for b.Loop() {
				runtime.Stack(buf, true)
			}
		})
		mu.Unlock()
		all.Wait()
	}
}

// What a goroutine that runs has been called by can be seen without stopping it.
func TestBeginning(t *testing.T) {
	if !Works() {
		t.Skip("see TestWorks")
	}
	hold, release := byComputing()
	g := coroutine(t, hold)
	defer release()
	var p Peeker
	var found []string
	err := patience.Poll(runtime.Gosched, func() bool {
		found = functions(p.Beginning(g, "iter.Pull[...].func1"))
		return holds(found, "peek.coroutine.")
	})
	if err != nil {
		t.Fatalf("found %q: %v", found, err)
	}
	if pcs := p.Beginning(g, "nobody"); len(pcs) > 0 {
		t.Errorf("nobody has called %q", functions(pcs))
	}
	for _, g := range []gmark.G{0, 8, 1 << 30} {
		if pcs := p.Beginning(g, "iter.Pull[...].func1"); len(pcs) > 0 {
			t.Errorf("%#x is no goroutine, and is in %q", g, functions(pcs))
		}
	}
}
