//go:build linux

package ringo_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"ringo"
	"ringo/internal/test/testmain"
	"ringo/stats"
)

// fullPipe gives both ends of a pipe that takes nothing more.
func fullPipe(t *testing.T) (r, w *os.File) {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close(); w.Close() })
	fd := int(w.Fd()) // which makes it wait
	if err := syscall.SetNonblock(fd, true); err != nil {
		t.Fatal(err)
	}
	for size := 4096; size > 0; {
		if _, err := syscall.Write(fd, make([]byte, size)); err == syscall.EAGAIN {
			size /= 2
		} else if err != nil && err != syscall.EINTR {
			t.Fatal(err)
		}
	}
	if err := syscall.SetNonblock(fd, false); err != nil {
		t.Fatal(err)
	}
	return r, w
}

func init() {
	// Has Ringo complain of all sorts of things: of too many loops, its driver, a stall, calls that wait for a slot,
	// and holds.
	children["complains"] = func() {
		cfg := small(os.Getenv("RINGO_TEST_DRIVER"))
		cfg.Loops, cfg.Offload, cfg.StallLimit = 64, 1, 20*time.Millisecond
		err := ringo.Run(context.Background(), &cfg, func(l *ringo.Loop) error {
			if l.Index() > 0 {
				return nil
			}
			var calls ringo.WaitGroup
			for range 2 {
				calls.Add(1)
				l.Go(func() {
					defer calls.Done()
					l.Offload(func(context.Context) error { time.Sleep(1500 * time.Millisecond); return nil })
				})
			}
			l.Sleep(0)
			queryUntilSeen(&testing.T{}, l)
			time.Sleep(500 * time.Millisecond)
			calls.Wait()
			return nil
		})
		fmt.Println("ended:", err)
	}
}

// A stderr that nobody reads holds up no loop and no end of Run, whatever there is to say.
func TestStderrThatNobodyReads(t *testing.T) {
	testmain.NeedLong(t, "waits 20 s for what stderr does not take; TestNoticesAreBounded has its bound")
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		_, full := fullPipe(t)
		cmd := child(t, "complains", "RINGO_TEST_DRIVER="+cfg.Driver, "RINGO_DRIVER=", "RINGO_DEBUG=driver=1,stall=2ms")
		cmd.Stderr = full
		text, err := cmd.Output()
		if err != nil || string(text) != "ended: <nil>\n" {
			t.Errorf("%v, %q", err, text)
		}
	})
}

// What stderr does not take is kept up to a bound, then dropped, and how much was is said when it takes some again.
func TestNoticesAreBounded(t *testing.T) {
	r, w := fullPipe(t)
	n := ringo.NewNotices(w)
	const each, bytes = 1000, 1024
	for i := range each {
		n.Say(fmt.Sprintf("%04d%s\n", i, strings.Repeat("x", bytes-5)))
	}
	n.Await(time.Millisecond) // nothing goes out
	over := time.Now().Add(limit)
	var said strings.Builder
	for part := make([]byte, 1<<16); !strings.Contains(said.String(), "dropped") && time.Now().Before(over); {
		k, err := r.Read(part)
		if err != nil {
			t.Fatal(err)
		}
		said.Write(part[:k])
	}
	n.Await(limit)
	text := strings.TrimLeft(said.String(), "\x00")
	kept := strings.Count(text, "x\n")
	if want := fmt.Sprintf("ringo: %d reports were dropped here", each-kept); !strings.Contains(text, want) ||
		kept*bytes > ringo.NoticesMax || kept < ringo.NoticesMax/bytes/2 {
		t.Errorf("%d of %d kept, in %d bytes, and no %q", kept, each, len(text), want)
	}
	if !strings.HasPrefix(text, "0000x") {
		t.Errorf("begins with %.100q", text)
	}
}

func init() {
	// Holds its loop until it is told not to, twice, with the limit that the
	// environment gives.
	children["held"] = func() {
		cfg := small(os.Getenv("RINGO_TEST_DRIVER"))
		cfg.StallLimit, _ = time.ParseDuration(os.Getenv("RINGO_TEST_STALL"))
		ringo.Run(context.Background(), &cfg, func(l *ringo.Loop) error {
			in := bufio.NewReader(os.Stdin)
			fmt.Println("held")
			in.ReadString('\n')
			return nil
		})
	}
	// Is busy with short turns until its input ends.
	children["busy"] = func() {
		cfg := small(os.Getenv("RINGO_TEST_DRIVER"))
		cfg.StallLimit = 10 * time.Millisecond
		ringo.Run(context.Background(), &cfg, func(l *ringo.Loop) error {
			over := l.Go(func() {
				l.Offload(func(context.Context) error { io.ReadAll(os.Stdin); return nil })
			})
			for range 10 {
				l.Go(func() {
					for l.Sleep(0) == nil {
					}
				})
			}
			fmt.Println("busy")
			over.Wait()
			return io.EOF // which cancels the others
		})
	}
}

// Without OnStall a stall is told on stderr, while it lasts; a negative limit keeps
// it quiet.
func TestStallsGoToStderr(t *testing.T) {
	t.Parallel()
	cmd := child(t, "held", "RINGO_TEST_DRIVER="+anyDriver(t).Driver)
	said := saysUntil(t, cmd, func(line string) bool {
		return strings.Contains(line, "created by iter.Pull") // near the end of the stack
	})
	for _, want := range []string{"ringo: loop 0 ", "100ms", "A task may wait only through Ringo",
		"bufio.(*Reader).ReadString"} {
		if !strings.Contains(said, want) {
			t.Errorf("no %q in %q", want, said)
		}
	}
}

func TestStallsAreNotTold(t *testing.T) {
	t.Parallel()
	cmd := child(t, "held", "RINGO_TEST_DRIVER="+anyDriver(t).Driver, "RINGO_TEST_STALL=-1ns")
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	var said strings.Builder
	cmd.Stderr = &said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := bufio.NewReader(out).ReadString('\n'); err != nil {
		t.Error(err)
	}
	<-time.After(250 * time.Millisecond) // more than the default
	io.WriteString(in, "go on\n")
	if err := cmd.Wait(); err != nil || said.Len() > 0 {
		t.Errorf("%v, %q", err, said.String())
	}
}

// A program that was stopped for a while, as by Ctrl-Z, tells of no stall.
func TestStoppedIsNoStall(t *testing.T) {
	t.Parallel()
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		cmd := child(t, "busy", "RINGO_TEST_DRIVER="+cfg.Driver)
		in, err := cmd.StdinPipe()
		if err != nil {
			t.Fatal(err)
		}
		var said strings.Builder
		cmd.Stderr = &said
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		if _, err := bufio.NewReader(out).ReadString('\n'); err != nil {
			t.Error(err)
		}
		for range 10 {
			cmd.Process.Signal(syscall.SIGSTOP)
			<-time.After(30 * time.Millisecond)
			cmd.Process.Signal(syscall.SIGCONT)
			<-time.After(5 * time.Millisecond)
		}
		in.Close()
		if err := cmd.Wait(); err != nil || said.Len() > 0 {
			t.Errorf("%v, %q", err, said.String())
		}
	})
}

// database is a lock as database/sql has it with one connection: whoever has it is slow.
type database struct{ mu sync.Mutex }

func (d *database) query() {
	d.mu.Lock()
	defer d.mu.Unlock()
	time.Sleep(30 * time.Millisecond)
}

// worthTelling is how long the holds of a place take together for which there is a report, with the default limit.
const worthTelling = 20 * time.Millisecond

// queryUntilSeen has two tasks that call a database until both of their places are known, and gives them. They have
// then taken so long that they are reported, though on a busy machine a look at a time counts for less than it was.
func queryUntilSeen(t testing.TB, l *ringo.Loop) []stats.Hold {
	var d database
	seen := func(what string) bool {
		var total time.Duration
		for _, h := range l.Holds() {
			if h.State == "blocked" && strings.Contains(h.In, what) && strings.Contains(h.In, "(*database).query") {
				total = max(total, h.Total)
			}
		}
		return total >= worthTelling
	}
	over := time.Now().Add(limit / 2) // before the end of Run is overdue
	until := func(what string) func() {
		return func() {
			for ; !seen(what) && time.Now().Before(over); l.Sleep(time.Millisecond) {
				d.query()
			}
		}
	}
	// A goroutine has the lock as often as not, so that tasks wait for it as well; on a busy machine nearly always, so
	// that a hold is one of the lock's and hardly ever of the sleep behind it, until that has been seen.
	stop := make(chan struct{})
	var other sync.WaitGroup
	other.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
				d.query()
			}
		}
	})
	sleeps, locks := l.Go(until("time.Sleep")), l.Go(func() {
		defer close(stop)
		until("sync.(*Mutex).Lock")()
	})
	sleeps.Wait()
	locks.Wait()
	other.Wait()
	if !seen("time.Sleep") || !seen("sync.(*Mutex).Lock") {
		t.Errorf("holds %v", l.Holds())
	}
	return l.Holds()
}

// Two tasks with calls of 30 ms are no stalls, and they are told of with their places all the same.
func TestHoldsOfADatabase(t *testing.T) {
	t.Parallel()
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		cfg.OnStall = func(*ringo.Loop, time.Duration, []byte) {}
		var l *ringo.Loop
		mustRun(t, cfg, func(loop *ringo.Loop) {
			l = loop
			for _, h := range queryUntilSeen(t, l) {
				if h.State == "blocked" && (!strings.Contains(h.Task, "queryUntilSeen") ||
					!strings.HasPrefix(h.At, "stderr_linux_test.go:") || h.Longest <= 0 || h.Total < h.Longest) {
					t.Errorf("%+v", h)
				}
			}
		})
		if len(l.Holds()) == 0 {
			t.Error("no holds after the end")
		}
		if s := l.Stats(); s.TurnTimes.Count() != s.Turns || s.TurnTimes.Max() != s.Longest ||
			s.TurnTimes.Quantile(1) < 30*time.Millisecond || s.Recent > s.Longest {
			t.Errorf("%d turns, %d in the histogram, the longest %v and %v", s.Turns, s.TurnTimes.Count(), s.Longest,
				s.TurnTimes.Max())
		}
	})
}

func init() {
	children["holds"] = func() {
		cfg := small(os.Getenv("RINGO_TEST_DRIVER"))
		cfg.HoldLimit, _ = time.ParseDuration(os.Getenv("RINGO_TEST_HOLD"))
		ringo.Run(context.Background(), &cfg, func(l *ringo.Loop) error {
			if cfg.HoldLimit < 0 && os.Getenv("RINGO_DEBUG") == "" {
				time.Sleep(30 * time.Millisecond)
				return nil
			}
			queryUntilSeen(&testing.T{}, l)
			return nil
		})
	}
}

// They are reported on stderr at the end of Run at the latest, by default and when the environment asks for it, and
// not with a negative limit.
func TestHoldsGoToStderr(t *testing.T) {
	t.Parallel()
	driver := anyDriver(t).Driver
	for _, c := range []struct {
		limit, debug string
		want         bool
	}{{"0", "", true}, {"-1ns", "", false}, {"-1ns", "driver=0,stall=2ms", true}} {
		text, code := output(t, child(t, "holds", "RINGO_TEST_DRIVER="+driver, "RINGO_DRIVER=",
			"RINGO_TEST_HOLD="+c.limit, "RINGO_DEBUG="+c.debug))
		for _, want := range []string{"  loop 0: ringo_test.queryUntilSeen.", " held its loop ",
			"blocked in time.Sleep", "blocked in sync.(*Mutex).Lock <- ringo_test.(*database).query",
			"Config.HoldLimit"} {
			if strings.Contains(text, want) != c.want {
				t.Errorf("with %+v: no %q, or one that should not be, in %q", c, want, text)
			}
		}
		if code != 0 {
			t.Errorf("exit status %d", code)
		}
	}
}

// The environment's limit of holds is checked as the configuration's is.
func TestStallOfTheEnvironmentIsChecked(t *testing.T) {
	for _, wrong := range []string{"stall=", "stall=2", "stall=-1ms", "stall=1ns", "driver=1,stall=soon"} {
		t.Setenv("RINGO_DEBUG", wrong)
		if err := refusal(t, &ringo.Config{}); err == nil || !strings.Contains(err.Error(), `RINGO_DEBUG: "stall=`) {
			t.Errorf("%s: %v", wrong, err)
		}
	}
}

// purse is something that tasks lock.
type purse struct{ mu ringo.Mutex }

// transfer locks one, waits until all have theirs, and wants the other. Somebody else unlocks both.
func transfer(from, to *purse, all *ringo.WaitGroup) {
	from.mu.Lock()
	all.Done()
	all.Wait()
	to.mu.Lock()
}

// transferPatiently is transfer with a wait that ends.
func transferPatiently(l *ringo.Loop, from, to *purse) {
	from.mu.Lock()
	defer from.mu.Unlock()
	l.WithTimeout(time.Minute, func() error {
		l.Sleep(time.Millisecond)
		return to.mu.LockContext(l.Context())
	})
}

func init() {
	// Is in a deadlock of the sort that the environment says, until a line comes in.
	children["deadlock"] = func() {
		cfg := small(os.Getenv("RINGO_TEST_DRIVER"))
		cfg.Loops = 2
		var p [4]purse       // which nobody unlocks who has them
		var patient [2]purse // which who has them unlocks in time
		var rw ringo.RWMutex
		var all ringo.WaitGroup
		all.Add(map[string]int{"two": 2, "across": 4}[os.Getenv("RINGO_TEST_CIRCLE")])
		ringo.Run(context.Background(), &cfg, func(l *ringo.Loop) error {
			first := l.Index() == 0
			switch os.Getenv("RINGO_TEST_CIRCLE") {
			case "two":
				if first {
					l.Go(func() { transfer(&p[0], &p[1], &all) })
					l.Go(func() { transfer(&p[1], &p[0], &all) })
				}
			case "across":
				i := 2 * l.Index()
				l.Go(func() { transfer(&p[i], &p[i+1], &all) })
				l.Go(func() { transfer(&p[i+1], &p[(i+2)%4], &all) })
			case "itself":
				if first {
					l.Go(func() { transferPatiently(l, &patient[0], &patient[1]) })
					l.Go(func() { transferPatiently(l, &patient[1], &patient[0]) })
					l.Go(func() { p[0].mu.Lock(); l.Sleep(0); p[0].mu.Lock() })
					l.Go(func() { p[1].mu.Lock(); p[0].mu.Lock() }) // behind the circle, not in it
				}
			case "writer":
				if first {
					l.Go(func() { rw.Lock(); l.Sleep(0); rw.RLock() })
				}
			}
			if first {
				l.Offload(func(context.Context) error {
					bufio.NewReader(os.Stdin).ReadString('\n')
					for i := range p {
						for !p[i].mu.TryLock() {
							p[i].mu.Unlock()
						}
					}
					if !rw.TryRLock() {
						rw.Unlock()
					}
					return nil
				})
				return context.Canceled // of those that are bounded
			}
			return nil
		})
	}
}

// Tasks that wait for Mutexes of each other are named, with their stacks, on one loop and on two, also one that waits
// for itself, or reads what it writes; waits that end by themselves are no deadlock, and who waits for one of a circle
// is not in it.
func TestDeadlocksOfMutexes(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		want []string
	}{
		{"two", []string{"ringo: deadlock: 2 tasks wait", " on loop 0, for ", ", which ringo_test.init.",
			"ringo.(*Mutex).Lock", "\nringo_test.transfer"}},
		{"across", []string{"ringo: deadlock: 4 tasks wait", " on loop 0, for ", " on loop 1, for ",
			"\nringo_test.transfer"}},
		{"itself", []string{"ringo: deadlock: task ringo_test.init.", "that it has itself", "ringo.(*Mutex).Lock"}},
		{"writer", []string{"ringo: deadlock: task ringo_test.init.", "that it has itself",
			"ringo.(*RWMutex).RLock"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			eachDriver(t, func(t *testing.T, cfg ringo.Config) {
				t.Parallel()
				cmd := child(t, "deadlock", "RINGO_TEST_DRIVER="+cfg.Driver, "RINGO_DRIVER=",
					"RINGO_TEST_CIRCLE="+c.name)
				deadlock := false
				said := saysUntil(t, cmd, func(line string) bool {
					deadlock = deadlock || strings.HasPrefix(line, "ringo: deadlock")
					return deadlock && strings.HasPrefix(line, "ringo/internal/loop.(*worker).serve") // a stack's end
				})
				for _, want := range c.want {
					if !strings.Contains(said, want) {
						t.Errorf("no %q in:\n%s", want, said)
					}
				}
				if n := strings.Count(said, "ringo: deadlock"); n != 1 {
					t.Errorf("%d deadlocks:\n%s", n, said)
				}
			})
		})
	}
}
