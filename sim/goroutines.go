package sim

import (
	"fmt"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"ringo/internal/rt/gmark"
)

// Goroutines returns t for Run, Explore and RunLoop to play worlds whose programs have goroutines beside their tasks:
// net/http, database/sql, and other code that is not written for Ringo.
//
//	func TestShop(t *testing.T) {
//		sim.Explore(sim.Goroutines(t), 100, func(w *sim.World) { ... })
//	}
//
// The goroutines are those that tasks and the script start. They may use everything in Ringo that any goroutine may,
// and all of worlds and hosts except Wait, RunFor and RunUntil, Rand, and what describes a world that has ended. Files,
// sockets that are made for no loop, and a sockhttp.Transport without DialContext are for tasks only.
//
// time.Now, time.Sleep, timers and contexts are the world's for all in it, including the script and tasks, but a host's
// clock may differ. As everywhere, a task or the script that waits by them holds the others up. Deadlines are by
// time.Now. Time goes on when every goroutine waits: for Ringo, a channel, a sync.Cond, a sync.WaitGroup or a time. A
// sync.Mutex whose holder waits, a socket of package net, and a file of package os are not known to the world. After
// ten to twenty seconds a watchdog ends the process, with the stacks of those that wait. It also does if a library
// waits for the peer with a lock that others want: crypto/tls in a handshake that a Read or Write begins (call
// Handshake before), and net/http's HTTP/2 client in concurrent uploads that fill a link with a Bandwidth.
//
// The process has a single processor (GOMAXPROCS is 1) until t ends, and one such world is played at a time. So
// goroutines usually run in the order in which they became ready: a seed plays the same world again as far as they
// don't depend on which of them is first. A goroutine that panics ends the process, as anywhere, and reports no seed.
//
// Offload and Compute run their function on a goroutine, where t.Fatal and t.Skip act as runtime.Goexit. Goroutines
// outlast the crash of a host, unlike all else on it: their calls fail. When a goroutine's Close returns, closing has
// begun, and may take a turn of the loop. All goroutines must have ended ten minutes of the world's time after its end,
// or the test fails; until then Ringo refuses all their calls. An iterator of iter.Pull in a task must not call Ringo.
//
// It fails the test on processors other than amd64, arm64 and 386, and panics in a bubble of testing/synctest. Any
// goroutine of t may call it.
func Goroutines(t *testing.T) testing.TB {
	t.Helper()
	if !gmark.Exact {
		t.Fatalf("sim: Goroutines: goroutines can't be told apart on %s", runtime.GOARCH)
	}
	single.take()
	t.Cleanup(single.give)
	return &withGoroutines{t, t}
}

// single lets the process have a single processor while tests need that.
var single oneProcessor

type oneProcessor struct {
	mu     sync.Mutex
	wanted int // the number of tests
	before int // GOMAXPROCS
}

func (p *oneProcessor) take() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.wanted++; p.wanted == 1 {
		p.before = runtime.GOMAXPROCS(1)
	}
}

func (p *oneProcessor) give() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.wanted--; p.wanted == 0 {
		runtime.GOMAXPROCS(p.before)
	}
}

// withGoroutines is a test whose worlds have goroutines, in bubbles of bubble.
type withGoroutines struct {
	testing.TB
	bubble *testing.T
}

// leftMost is how long goroutines may take to end after their world has.
const leftMost = 10 * time.Minute

// played lets only one world with goroutines be played at a time.
var played sync.Mutex

// inBubble plays a world in a bubble of t, and checks what it has left there.
func (w *World) inBubble(t *testing.T, happens func()) {
	played.Lock()
	defer played.Unlock()
	defer func() {
		v := recover()
		if v == nil {
			return
		}
		if err, ok := v.(error); !ok || !strings.HasPrefix(err.Error(), "deadlock:") {
			panic(v)
		}
		w.fail(fmt.Sprintf("goroutines have not ended %v after the world's end:\n%s", leftMost, bubbled(false)))
	}()
	defer func() { w.stage.Leave() }()
	t.Context().Done() // is made here: what is made in a bubble can't be closed outside of it, as the test's end does
	synctest.Test(t, func(*testing.T) {
		happens()
		time.Sleep(leftMost)
	})
}

// bubbled returns the stacks of the goroutines in bubbles; with busy, only of those for which a bubble waits.
func bubbled(busy bool) string {
	var found []string
	for s := range strings.SplitSeq(allStacks(), "\n\n") {
		head, _, _ := strings.Cut(s, "\n")
		if strings.Contains(head, "synctest bubble") && !(busy && strings.Contains(head, "(durable)")) {
			found = append(found, s)
		}
	}
	return strings.Join(found, "\n\n")
}
