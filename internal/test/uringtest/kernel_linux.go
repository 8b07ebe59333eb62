//go:build linux

package uringtest

import (
	"fmt"

	"golang.org/x/sys/unix"

	"ringo/internal/abi"
	"ringo/internal/sys"
)

// Config says what a Kernel is like. All of it may be zero but Fail.
type Config struct {
	// Script decides where the kernel has a choice; nil is calm.
	Script Script
	// Fail is told what the driver did wrong. It need not return; if it does, the
	// ring is dead from then on: each call gives EBADF.
	Fail func(fault string)
	// Check is asked about a request when it is taken, whenever the kernel is
	// about to use the memory that it names, and when it ends. An error is a
	// fault.
	Check func(r *Request) error
	// Shared says which user data may stand for more than one request at a
	// time; nil: none.
	Shared func(userData uint64) bool
	// Asleep is called when a wait finds nothing to do, before any time passes: it
	// does what others do while the driver sleeps. nil: they do nothing.
	Asleep func()
	// Clock is the time of waits and timeouts; nil: the machine's.
	Clock *Clock
	// Start is where the indices of both rings begin. Near 1<<32 they wrap.
	Start uint32
}

// Kernel is one io_uring. It implements sys.Uring for one ring, whose owner's
// thread is the only one that may use it; Counts and the like may be read there.
type Kernel struct {
	cfg    Config
	script Script
	thread int
	rings  rings
	defers bool // DEFER_TASKRUN
	flags  uint32

	byData   map[uint64]int     // requests by user data, until their last CQE is posted
	live     []*Request         // taken and not ended, oldest first
	files    map[int32]*file    // descriptors that requests wait for
	work     []*Request         // requests whose descriptor has become ready
	held     []completion       // CQEs that were made and not posted
	overflow []abi.Io_uring_cqe // CQEs that found the CQ full
	groups   map[uint16]*bufGroup
	kept     []int32 // registered files
	injected map[injection]bool
	spare    []*Request // posted their last CQE
	due      [8]int     // scratch of post: as many are looked at to pick one
	events   [16]unix.EpollEvent
	running  []*Request // scratch of run
	polled   [1]unix.PollFd
	limit    unix.Timespec
	stat     unix.Stat_t
	event    unix.EpollEvent
	closed   []*file // not used any more
	epoll    int
	taken    uint64 // requests so far
	counts   [Points]int
	fault    string
	open     bool
}

// injection is a result that a script has made up.
type injection struct {
	userData uint64
	res      int32
}

var _ sys.Uring = (*Kernel)(nil)

// New makes a kernel for one ring.
func New(cfg Config) *Kernel {
	if cfg.Fail == nil {
		panic("uringtest: a Config without Fail")
	}
	return &Kernel{cfg: cfg, script: cfg.Script, thread: -1, epoll: -1,
		byData: make(map[uint64]int), files: make(map[int32]*file), groups: make(map[uint16]*bufGroup),
		injected: make(map[injection]bool)}
}

// SetScript changes the script; nil is calm.
func (k *Kernel) SetScript(s Script) { k.script = s }

// Counts is how often the script chose something other than 0, by Point.
func (k *Kernel) Counts() [Points]int { return k.counts }

// Injected reports whether a completion with this result was the script's
// invention.
func (k *Kernel) Injected(userData uint64, res int32) bool {
	return k.injected[injection{userData, res}]
}

// Live calls f for each request that has been taken and has not ended. A request
// whose last CQE was made but not yet posted has not ended in this sense.
func (k *Kernel) Live(f func(r *Request)) {
	for _, r := range k.live {
		f(r)
	}
	for i := range k.held {
		if k.held[i].last {
			f(k.held[i].r)
		}
	}
}

// On calls f for each request that waits for a descriptor, or has ended on it and
// the program can't know yet.
func (k *Kernel) On(fd int32, f func(r *Request)) {
	if file := k.files[fd]; file != nil {
		for _, r := range file.reqs {
			f(r)
		}
	}
	for i := range k.held {
		if c := &k.held[i]; c.last && c.r.SQE.Fd == fd {
			f(c.r)
		}
	}
}

// Quiet reports whether every CQE that was made has been taken out of the CQ.
func (k *Kernel) Quiet() bool { return len(k.held) == 0 && len(k.overflow) == 0 && k.ready() == 0 }

// Overflowed is how many CQEs wait for room in the CQ.
func (k *Kernel) Overflowed() int { return len(k.overflow) }

// Lent is how many buffers of a group the kernel may fill.
func (k *Kernel) Lent(group uint16) int {
	g := k.groups[group]
	if g == nil {
		return 0
	}
	return g.available(k)
}

// Fault is what the driver did wrong first, "" if nothing.
func (k *Kernel) Fault() string { return k.fault }

// failf reports a fault, once.
func (k *Kernel) failf(format string, args ...any) {
	if k.fault == "" {
		k.fault = fmt.Sprintf(format, args...)
		k.cfg.Fail(k.fault)
	}
}

// choose asks the script. Where there is nothing to choose it is not asked.
func (k *Kernel) choose(p Point, n int, r *Request) int {
	if k.script == nil || n < 2 {
		return 0
	}
	c := k.script(p, n, r)
	if c < 0 || c >= n {
		panic(fmt.Sprintf("uringtest: a script chose %d at %v, want 0 to %d", c, p, n-1))
	}
	if c != 0 {
		k.counts[p]++
	}
	return c
}

// onThread checks that the ring's owner calls.
func (k *Kernel) onThread(call string) bool {
	if tid := unix.Gettid(); tid != k.thread {
		k.failf("%s from thread %d; the ring belongs to thread %d", call, tid, k.thread)
		return false
	}
	return true
}
