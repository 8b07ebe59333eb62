//go:build linux

package poller

import (
	"os"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"
	"time"

	"ringo/internal/posix"
	"ringo/internal/race"
	"ringo/internal/sys"
	"ringo/internal/test/alloctest"
	"ringo/internal/test/kqueuetest"
	"ringo/internal/test/uringtest"
)

// makers are all pollers, in each form that a kernel can give them.
var makers = map[string]func() (Poller, error){
	"epoll":                  func() (Poller, error) { return OpenEpoll(nil) },
	"epoll without pwait2":   func() (Poller, error) { return OpenEpoll([]string{"epoll_pwait2"}) },
	"poll":                   func() (Poller, error) { return OpenPoll(nil) },
	"select":                 func() (Poller, error) { return OpenSelect(nil) },
	"select without poll":    func() (Poller, error) { return OpenSelect([]string{"ppoll"}) },
	"ring":                   func() (Poller, error) { return OpenRing(8, nil) },
	"ring without deferring": func() (Poller, error) { return OpenRing(8, []string{"defer_taskrun"}) },
	"ring without a flag":    func() (Poller, error) { return OpenRing(8, []string{"taskrun_flag"}) },
	"ring, one shot":         func() (Poller, error) { return OpenRing(8, []string{"multishot_poll"}) },
	"ring of 5.1":            func() (Poller, error) { return OpenRing(8, []string{"kernel=5.1"}) },
	"ring of 5.10":           func() (Poller, error) { return OpenRing(8, []string{"kernel=5.10"}) },
	"ring of 5.15":           func() (Poller, error) { return OpenRing(8, []string{"kernel=5.15"}) },
	"ring of 6.0":            func() (Poller, error) { return OpenRing(8, []string{"kernel=6.0"}) },
	"ring of two":            func() (Poller, error) { return OpenRing(2, nil) },
	"ring of two of 5.10":    func() (Poller, error) { return OpenRing(2, []string{"kernel=5.10"}) },

	"kqueue, as of Darwin":  func() (Poller, error) { return onShim(darwin, kqueuetest.Oddities{ETIMEDOUT: 5}) },
	"kqueue, as of FreeBSD": func() (Poller, error) { return onShim(freebsd, kqueuetest.Oddities{}) },
	"kqueue, as of NetBSD":  func() (Poller, error) { return onShim(netbsd, kqueuetest.Oddities{DeadPipe: true}) },
	"kqueue and signals":    func() (Poller, error) { return onShim(darwin, kqueuetest.Oddities{EINTR: 2}) },
}

// What kqueues have.
var (
	darwin  = sys.KqueueTraits{Receipts: true, Urgent: true}
	freebsd = sys.KqueueTraits{Receipts: true}
	netbsd  = sys.KqueueTraits{}
)

// onShim gives the poller for kqueues, on what stands for one.
func onShim(has sys.KqueueTraits, odds kqueuetest.Oddities) (Poller, error) {
	q, res := kqueuetest.New(has, odds)
	if res < 0 {
		return nil, os.NewSyscallError("epoll_create1", posix.Of(res))
	}
	return KqueueOn(q)
}

// each runs a test on every poller that can be had, each on a thread of its own.
func each(t *testing.T, f func(t *testing.T, p Poller)) {
	for name, mk := range makers {
		t.Run(name, func(t *testing.T) {
			runtime.LockOSThread()
			defer runtime.UnlockOSThread()
			p, err := mk()
			if uringtest.Refused(err) {
				t.Skip(err)
			}
			if err != nil {
				t.Fatal(err)
			}
			defer p.Close()
			f(t, p)
		})
	}
}

func TestReadiness(t *testing.T) {
	each(t, func(t *testing.T, p Poller) {
		a, b := pair(t)
		const key = 0xfedcba9876543210
		want(t, "add", p.Add(a, sys.PollIn, key), 0)
		want(t, "add again", p.Add(a, sys.PollIn, 1), -sys.EEXIST)
		none(t, p)
		send(t, b, "x")
		only(t, p, key, sys.PollIn)
		if !p.EdgeTriggered() {
			only(t, p, key, sys.PollIn)
		}
		drain(a)
		none(t, p)
		send(t, b, "x") // news after silence, whoever reads edges
		only(t, p, key, sys.PollIn)
		drain(a)

		want(t, "modify", p.Modify(a, sys.PollOut, 2), 0)
		only(t, p, 2, sys.PollOut)
		want(t, "modify", p.Modify(a, sys.PollIn, 3), 0)
		none(t, p)
		send(t, b, "x")
		only(t, p, 3, sys.PollIn)
		want(t, "remove", p.Remove(a), 0)
		none(t, p)
		want(t, "remove again", p.Remove(a), -sys.ENOENT)
		want(t, "modify of a stranger", p.Modify(a, sys.PollIn, 0), -sys.ENOENT)
		want(t, "add", p.Add(a, sys.PollIn, 4), 0)
		only(t, p, 4, sys.PollIn) // what is ready before it is added
	})
}

// The number is gone for good, or somebody else's: no event of it, and none of the
// file, comes after Remove.
func TestNothingAfterRemove(t *testing.T) {
	each(t, func(t *testing.T, p Poller) {
		events := make([]Event, 4)
		for i := range 50 {
			a, b := pair(t)
			want(t, "add", p.Add(a, sys.PollIn, 1), 0)
			if i%2 == 0 {
				none(t, p)
			}
			send(t, b, "x")
			if i%3 == 0 {
				wait(t, p, 0, events)
			}
			want(t, "remove", p.Remove(a), 0)
			c, d := pair(t)
			want(t, "dup3", dup3(c, a), 0) // the number again, of another file
			want(t, "add", p.Add(a, sys.PollIn, 2), 0)
			none(t, p)
			send(t, d, "y")
			only(t, p, 2, sys.PollIn)
			want(t, "remove", p.Remove(a), 0)
		}
	})
}

func dup3(from, to int32) int32 {
	if err := syscall.Dup3(int(from), int(to), syscall.O_CLOEXEC); err != nil {
		return -1
	}
	return 0
}

// A poller that holds files lets go of them in Remove, whatever it has not been
// asked for yet: closing is heard at once.
func TestCloseIsHeard(t *testing.T) {
	each(t, func(t *testing.T, p Poller) {
		for state := range 8 {
			waited, news, modified := state&1 != 0, state&2 != 0, state&4 != 0
			a, b := pair(t)
			dup, err := syscall.Dup(int(a))
			if err != nil {
				t.Fatal(err)
			}
			want(t, "add", p.Add(int32(dup), sys.PollIn|sys.PollRdhup, 1), 0)
			if waited {
				none(t, p)
			}
			if news {
				send(t, b, "x")
			}
			if modified {
				want(t, "modify", p.Modify(int32(dup), sys.PollIn, 2), 0)
			}
			want(t, "remove", p.Remove(int32(dup)), 0)
			syscall.Close(dup)
			devNull(t, a) // closes it, and keeps the number for the clean-up
			if n := sys.Recv(b, make([]byte, 1), sys.MsgDontwait); n != 0 && n != -int32(syscall.ECONNRESET) {
				t.Errorf("the peer reads %d after the close (waited %v, news %v, modified %v), want the end", n,
					waited, news, modified)
			}
		}
	})
}

// Closed under the poller: each says so in its own way, none says nothing.
func TestClosedDescriptor(t *testing.T) {
	each(t, func(t *testing.T, p Poller) {
		high, err := syscall.Dup(0)
		if err != nil {
			t.Fatal(err)
		}
		p.Add(int32(high), 0, 9) // the number is known, and no surprise
		p.Remove(int32(high))
		syscall.Close(high)
		fd := int32(high)
		if res := p.Add(fd, sys.PollIn, 1); res != 0 {
			want(t, "add of a closed descriptor", res, -sys.EBADF)
			return
		}
		only(t, p, 1, sys.PollNval)
		want(t, "remove", p.Remove(fd), 0)
		none(t, p)
	})
}

func TestNoDescriptor(t *testing.T) {
	each(t, func(t *testing.T, p Poller) {
		want(t, "add", p.Add(1<<20, sys.PollIn, 1), -sys.EBADF)
		want(t, "add", p.Add(1<<30, sys.PollIn, 1), -sys.EBADF)
		want(t, "add", p.Add(-1, sys.PollIn, 1), -sys.EBADF)
		want(t, "remove", p.Remove(1<<30), badOrAbsent(p))
	})
}

// badOrAbsent is what a poller says of a number that cannot be in the set: epoll
// asks the kernel.
func badOrAbsent(p Poller) int32 {
	if p.Name() == "epoll" {
		return -sys.EBADF
	}
	return -sys.ENOENT
}

// A file is refused, or ready. It must not be ready again and again to whoever
// hears of edges.
func TestFile(t *testing.T) {
	each(t, func(t *testing.T, p Poller) {
		f, err := os.Create(filepath.Join(t.TempDir(), "f"))
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		fd := int32(f.Fd())
		if res := p.Add(fd, sys.PollIn|sys.PollOut, 1); res != 0 {
			want(t, "add of a file", res, -sys.EPERM)
			return
		}
		events := make([]Event, 4)
		rounds := 0
		for ; rounds < 100 && wait(t, p, 0, events) == 1; rounds++ {
			if events[0] != (Event{Key: 1, Ready: sys.PollIn | sys.PollOut}) {
				t.Fatalf("event %+v", events[0])
			}
		}
		if p.EdgeTriggered() && (rounds == 0 || rounds == 100) || !p.EdgeTriggered() && rounds != 100 {
			t.Errorf("ready %d times", rounds)
		}
		want(t, "remove", p.Remove(fd), 0)
	})
}

// More events than fit, or than the queues hold: each comes, some later.
func TestMoreThanRoom(t *testing.T) {
	each(t, func(t *testing.T, p Poller) {
		const n = 70
		var fds, peers []int32
		for key := range uint64(n) {
			a, b := pair(t)
			want(t, "add", p.Add(a, sys.PollIn, key), 0)
			fds, peers = append(fds, a), append(peers, b)
			if key == n/2 {
				none(t, p) // half of them wait in the kernel already
			}
		}
		for _, b := range peers {
			send(t, b, "x")
		}
		events, seen := make([]Event, 3), map[uint64]int{}
		for range 2 * n {
			for _, e := range events[:wait(t, p, 0, events)] {
				seen[e.Key]++
			}
		}
		for key := range uint64(n) {
			if seen[key] == 0 || p.EdgeTriggered() && seen[key] > 2 {
				t.Errorf("key %d was told %d times", key, seen[key])
			}
		}
		for _, fd := range fds {
			want(t, "remove", p.Remove(fd), 0)
		}
		none(t, p)
	})
}

// What nobody asked for does not keep a poller awake, and hides nothing for long.
func TestHalfClosed(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, p Poller) {
		a, b := pair(t)
		fill(a)
		syscall.Shutdown(int(b), syscall.SHUT_WR)
		want(t, "add", p.Add(a, sys.PollOut, 1), 0)
		idle(t, p)
		drain(b)
		only(t, p, 1, sys.PollOut)
	})
}

// A hang-up comes behind data that nobody waits for.
func TestHangupBehindData(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, p Poller) {
		if s, ok := p.(*selector); ok && !s.masks {
			t.Skip("select(2) alone cannot tell a half-close from data")
		}
		a, b := pair(t)
		fill(a)
		send(t, b, "unread")
		want(t, "add", p.Add(a, sys.PollOut|sys.PollRdhup, 1), 0)
		idle(t, p)
		syscall.Shutdown(int(b), syscall.SHUT_WR)
		begin := time.Now()
		only(t, p, 1, sys.PollRdhup)
		if took := time.Since(begin); took > 5*time.Second {
			t.Errorf("told after %v, when the wait's own time was over", took)
		}
		want(t, "modify", p.Modify(a, sys.PollIn, 2), 0)
		only(t, p, 2, sys.PollIn)
	})
}

// idle checks that a wait with nothing to tell sleeps. One that does is enough: what
// a busy machine does in the thread's name is not in all of them.
func idle(t *testing.T, p Poller) {
	t.Helper()
	const waits, most = 10, 10 * time.Millisecond // who looks all the time uses all of it
	least := time.Hour
	for n := 0; n < waits && least > most; n++ {
		before := threadTime(t)
		if n := wait(t, p, 20*time.Millisecond, make([]Event, 4)); n != 0 {
			t.Fatalf("%d events, want none", n)
		}
		least = min(least, threadTime(t)-before)
	}
	if least > most {
		t.Errorf("each of %d waits of 20 ms used the processor for at least %v", waits, least)
	}
}

// threadTime is what the calling thread has used of the processor.
func threadTime(t *testing.T) time.Duration {
	t.Helper()
	var use syscall.Rusage
	if err := syscall.Getrusage(1, &use); err != nil { // RUSAGE_THREAD
		t.Fatal(err)
	}
	return time.Duration(use.Utime.Nano() + use.Stime.Nano())
}

// A wait ends with the time and not before, whatever its precision.
func TestTimeouts(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, p Poller) {
		a, _ := pair(t)
		want(t, "add", p.Add(a, sys.PollIn, 1), 0)
		events := make([]Event, 1)
		for _, d := range []time.Duration{1, time.Microsecond, 999_999, time.Millisecond, 1_000_001,
			11 * time.Millisecond, 0} {
			for ended := false; !ended; {
				start := time.Now()
				res := p.Wait(int64(d), events)
				passed := time.Since(start)
				if ended = res != -sys.EINTR; ended {
					want(t, "wait", res, 0)
					if passed < d {
						t.Errorf("a wait of %v ended after %v", d, passed)
					}
				}
			}
		}
	})
}

// A wait without an end is ended by what another thread does.
func TestAsleep(t *testing.T) {
	each(t, func(t *testing.T, p Poller) {
		a, b := pair(t)
		want(t, "add", p.Add(a, sys.PollIn, 1), 0)
		events := make([]Event, 1)
		p.Wait(1, events)
		for range 50 {
			sent := make(chan struct{})
			go func() {
				defer close(sent)
				sys.Send(b, []byte("x"), 0)
			}()
			if n := wait(t, p, -1, events); n != 1 {
				t.Fatalf("%d events", n)
			}
			<-sent
			drain(a)
		}
	})
}

func TestSteadyAllocs(t *testing.T) {
	if race.Enabled {
		t.Skip("the race detector allocates")
	}
	each(t, func(t *testing.T, p Poller) {
		a, b := pair(t)
		c, _ := pair(t)
		events, x := make([]Event, 4), make([]byte, 1)
		want(t, "add", p.Add(a, sys.PollIn, 1), 0)
		want(t, "add", p.Add(c, sys.PollIn, 1), 0)
		got := alloctest.Least(100, 0.1, func() {
			sys.Send(b, x, 0)
			p.Wait(1e9, events)
			sys.Recv(a, x, 0)
			p.Wait(0, events)
			p.Wait(1, events)
			p.Modify(a, sys.PollIn, 2)
			p.Remove(c)
			p.Add(c, sys.PollIn, 3)
		})
		if got > 0.1 {
			t.Errorf("%v allocations, want 0", got)
		}
	})
}
