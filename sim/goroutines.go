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

// Goroutines returns a testing.TB for Run, Explore and RunLoop that makes them play worlds whose programs have
// goroutines beside their tasks: for net/http, database/sql, and other code that is not written for Ringo.
//
//	func TestShop(t *testing.T) {
//		sim.Explore(sim.Goroutines(t), 100, func(w *sim.World) { ... })
//	}
//
// The goroutines are those that tasks and the script start. They may use everything in Ringo that any goroutine may,
// and all methods of worlds and hosts except Wait, RunFor, RunUntil, Rand, and those that describe a world that has
// ended. Only tasks may use files, sockets that belong to no loop, and a sockhttp.Transport without DialContext.
//
// time.Now, time.Sleep, timers and contexts use the world's clock for all code in the world, including the script and
// tasks, but a host's clock may differ. As everywhere, a task or the script that waits by them holds up the others.
// Deadlines go by time.Now. Time goes on once every goroutine waits: for Ringo, a channel, a sync.Cond, a
// sync.WaitGroup or a time. The world does not notice waits for a sync.Mutex whose holder waits, a socket of package
// net, or a file of package os: after ten to twenty seconds a watchdog ends the process, with the stacks of the waiting
// goroutines. It does so, too, if a library holds a lock that others want while it waits for the peer: crypto/tls in a
// handshake that a Read or Write begins (call Handshake before), and net/http's HTTP/2 client in concurrent uploads
// that fill a link with a Bandwidth.
//
// The process has a single processor (GOMAXPROCS is 1) until t ends, and only one such world is played at a time. So
// goroutines usually run in the order in which they became ready: a seed plays the same world again as long as its
// programs don't depend on which goroutine is first. A goroutine that panics ends the process, as anywhere, and reports
// no seed.
//
// Offload and Compute run their function on a goroutine, where t.Fatal and t.Skip act as runtime.Goexit. Unlike all
// else on a host, goroutines outlast its crash: their calls fail. When a goroutine's Close returns, closing has begun,
// and may take a turn of the loop. All goroutines must have ended ten minutes of the world's time after its end, or the
// test fails; until then Ringo refuses all their calls. An iterator of iter.Pull in a task must not call Ringo.
//
// Goroutines fails the test on processors other than amd64, arm64 and 386, and panics in a bubble of testing/synctest.
// Any goroutine of t may call it.
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
