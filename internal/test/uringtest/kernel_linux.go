//go:build linux

package uringtest

import (
	"fmt"

	"golang.org/x/sys/unix"

	"ringo/internal/abi"
	"ringo/internal/sys"
)

// Config describes a Kernel. All of it may be zero except Fail.
type Config struct {
	// Script decides where the kernel has a choice; nil: a calm kernel.
	Script Script
	// Fail is called with the driver's first mistake. It need not return; if it does, the ring is dead from then on:
	// each call fails with EBADF.
	Fail func(fault string)
	// Check is called with a request when it is taken, whenever the kernel is about to use the memory that it names,
	// and when it ends. An error is a fault.
	Check func(r *Request) error
	// Shared reports whether a user data may stand for more than one request at a time; nil: none may.
	Shared func(userData uint64) bool
	// Asleep is called when a wait finds nothing to do, before any time passes: it acts for the others, who act while
	// the driver sleeps. nil: they do nothing.
	Asleep func()
	// Clock is the clock of waits and timeouts; nil: the machine's.
	Clock *Clock
	// Start is the first index of both rings. A number near 1<<32 makes them wrap.
	Start uint32
}

// Kernel is one io_uring. It implements sys.Uring for one ring. Only the thread of the ring's owner may use it, and
// only there may Counts and the like be read.
type Kernel struct {
	cfg    Config
	script Script
	thread int
	rings  rings
	defers bool // DEFER_TASKRUN
	flags  uint32

	byData   map[uint64]int     // how many requests each user data has, until their last CQE is posted
	live     []*Request         // requests that were taken and have not ended, oldest first
	files    map[int32]*file    // descriptors that requests wait for
	work     []*Request         // requests whose descriptor has become ready
	held     []completion       // CQEs that were made and are not posted
	overflow []abi.Io_uring_cqe // CQEs that found the CQ full
	groups   map[uint16]*bufGroup
	kept     []int32 // registered files
	injected map[injection]bool
	spare    []*Request // requests to use again, whose last CQE was posted
	due      [8]int     // scratch of post, which picks one of at most so many
	events   [16]unix.EpollEvent
	running  []*Request // scratch of run
	polled   [1]unix.PollFd
	limit    unix.Timespec
	stat     unix.Stat_t
	event    unix.EpollEvent
	closed   []*file // for use again
	epoll    int
	taken    uint64 // how many requests were taken so far
	counts   [Points]int
	fault    string
	open     bool
}

// injection is a result that a script has invented.
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

// SetScript replaces the script; nil makes the kernel calm.
func (k *Kernel) SetScript(s Script) { k.script = s }

// Counts returns how often the script chose something other than 0, by Point.
func (k *Kernel) Counts() [Points]int { return k.counts }

// Injected reports whether a completion with this result was an invention of the script.
func (k *Kernel) Injected(userData uint64, res int32) bool {
	return k.injected[injection{userData, res}]
}

// Live calls f for each request that was taken and has not ended. A request ends when its last CQE is posted.
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

// On calls f for each request that waits for a descriptor, or that has ended on it without a posted CQE, so that the
// program can't know yet.
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

// Overflowed returns how many CQEs wait for room in the CQ.
func (k *Kernel) Overflowed() int { return len(k.overflow) }

// Lent returns how many buffers of a group the kernel may fill.
func (k *Kernel) Lent(group uint16) int {
	g := k.groups[group]
	if g == nil {
		return 0
	}
	return g.available(k)
}

// Fault returns the driver's first mistake, or "" if there was none.
func (k *Kernel) Fault() string { return k.fault }

// failf reports a fault; only the first one counts.
func (k *Kernel) failf(format string, args ...any) {
	if k.fault == "" {
		k.fault = fmt.Sprintf(format, args...)
		k.cfg.Fail(k.fault)
	}
}

// choose asks the script for one of n choices. If there is only one, it does not ask.
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

// onThread checks that the caller is on the thread of the ring's owner.
func (k *Kernel) onThread(call string) bool {
	if tid := unix.Gettid(); tid != k.thread {
		k.failf("%s from thread %d; the ring belongs to thread %d", call, tid, k.thread)
		return false
	}
	return true
}
