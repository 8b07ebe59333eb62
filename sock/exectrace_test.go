package sock_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime/trace"
	"sync/atomic"
	"testing"
	"time"

	"ringo"
	"ringo/sock"
)

// member is a task of a Group, which the trace knows by this name.
func member() error { return nil }

// An execution trace has tasks by name, what they wait for, and turns. What began before it or ends after it is no
// trouble: of a task that the first trace has seen begin, the second has the end.
func TestExecutionTrace(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		pair(t, cfg, func(l *ringo.Loop, c *sock.Conn, peer tcpPeer) {
			early := l.GoNamed("early", func() { l.Sleep(time.Millisecond); l.Sleep(0) })
			others(l)
			var mu ringo.Mutex
			var server *ringo.Task
			raw := traced(t, l, func() {
				server = l.GoNamed("server", func() {
					p := make([]byte, 1)
					for {
						trace.WithRegion(l.Context(), "request", func() {})
						if _, err := c.Read(p); err != nil {
							return
						}
					}
				})
				mu.Lock()
				locker := l.GoNamed("locker", func() { mu.Lock(); mu.Unlock() })
				others(l) // the server reads, the locker waits
				l.Yield()
				mu.Unlock()
				g := ringo.NewGroup(l)
				g.Go(member)
				g.Wait()
				locker.Wait()
				early.Wait()
			})
			wantEventsOn(t, l, raw,
				`RegionBegin .*Type="turn"`, `RegionEnd .*Type="turn"`,
				`TaskBegin .*Type="server"`, `RegionBegin .*Task=[1-9]\d* Type="read"`,
				`RegionBegin .*Task=[1-9]\d* Type="request"`,
				`TaskBegin .*Type="locker"`, `RegionBegin .*Task=[1-9]\d* Type="Mutex.Lock"`,
				`RegionEnd .*Task=[1-9]\d* Type="Mutex.Lock"`, `TaskEnd .*Type="locker"`,
				`TaskBegin .*Type="ringo/sock_test.member"`, `TaskEnd .*Type="ringo/sock_test.member"`,
				`RegionBegin .*Task=0 Type="Task.Wait"`, `RegionBegin .*Type="yield"`,
			)
			raw = traced(t, l, func() {
				peer.Close()
				server.Wait()
			})
			wantEventsOn(t, l, raw, `RegionEnd .*Task=[1-9]\d* Type="read"`, `TaskEnd `)
		})
	})
}

// traced is a trace of what a task does.
func traced(t *testing.T, l *ringo.Loop, f func()) []byte {
	t.Helper()
	var raw bytes.Buffer
	if err := trace.Start(&raw); err != nil {
		t.Skip(err) // there is one of the whole test
	}
	l.Sleep(0) // the loop looks once a turn
	f()
	trace.Stop()
	return raw.Bytes()
}

// wantEventsOn is wantEvents for a task.
func wantEventsOn(t *testing.T, l *ringo.Loop, raw []byte, want ...string) {
	t.Helper()
	offloaded(t, l, func() error { wantEvents(t, raw, want...); return nil })
}

// wantEvents wants a trace that Go's own tool can read, with these events.
func wantEvents(t *testing.T, raw []byte, want ...string) {
	t.Helper()
	tool, err := exec.LookPath("go")
	if err != nil { // the names are in any trace of them
		for _, w := range want {
			if name := regexp.MustCompile(`Type="(.*)"`).FindStringSubmatch(w); name != nil &&
				!bytes.Contains(raw, []byte(name[1])) {
				t.Errorf("the trace does not name %s", name[1])
			}
		}
		return
	}
	file := filepath.Join(t.TempDir(), "trace")
	if err := os.WriteFile(file, raw, 0o600); err != nil {
		t.Fatal(err)
	}
	events, err := exec.Command(tool, "tool", "trace", "-d=parsed", file).CombinedOutput()
	if err != nil {
		t.Fatalf("go tool trace: %v\n%s", err, events[max(0, len(events)-1000):])
	}
	for _, w := range want {
		if !regexp.MustCompile(w).Match(events) {
			t.Errorf("the trace has no event %s; it has\n%s", w,
				bytes.Join(regexp.MustCompile(`.*(Region|Task)(Begin|End) .*\n`).FindAll(events, 200), nil))
		}
	}
}

// Traces begin and end while tasks do, in the middle of turns and waits, and each can be read.
func TestTracesComeAndGo(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		onLoop(t, cfg, func(l *ringo.Loop) {
			var over atomic.Bool
			var mu ringo.Mutex
			g := ringo.NewGroup(l)
			for range 8 {
				g.Go(func() error {
					for !over.Load() {
						l.Go(func() {
							mu.Lock()
							trace.StartRegion(l.Context(), "held").End()
							l.Sleep(0)
							mu.Unlock()
						}).Wait()
					}
					return nil
				})
			}
			offloaded(t, l, func() error { // from another thread
				defer over.Store(true)
				for round := range 10 {
					var raw bytes.Buffer
					if err := trace.Start(&raw); err != nil {
						t.Log(err)
						return nil
					}
					turns := l.Stats().Turns
					eventually(t, "a few turns", func() bool { return l.Stats().Turns > turns+5 })
					trace.Stop()
					if round == 9 {
						wantEvents(t, raw.Bytes(), `RegionBegin .*Type="turn"`)
					}
				}
				return nil
			})
			if err := g.Wait(); err != nil {
				t.Error(err)
			}
		})
	})
}
