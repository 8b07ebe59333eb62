package poller

import (
	"errors"
	"math"
	"os"
	"strings"
	"time"

	"ringo/internal/mask"
	"ringo/internal/posix"
	"ringo/internal/seam"
	"ringo/internal/sys"
	"ringo/uring"
)

// ring is an io_uring that does nothing but poll. A descriptor in the set has a slot, and the slot a poll request,
// whose completions carry the slot's index and generation:
//
//	Add ──▶ to arm ──Wait──▶ armed ──completion──▶ ready ──▶ event
//	          ▲                │ ▲                   │
//	          │                │ └── multishot ──────┤
//	          └────────────────┴──── the poll ended ─┘
//
// Requests go out with the enter of the next Wait, so adding a descriptor costs no call of its own. Removing one costs
// an enter: the request holds the file, and must have ended before the descriptor is closed, or the file would stay
// open, and the peer would not hear of the close.
type ring struct {
	r        *uring.Ring
	multi    bool  // polls are multishot, which makes the set edge-triggered
	extArg   bool  // a wait takes a timeout
	mustLook bool  // completions show only after an enter
	timer    int32 // a timerfd that ends waits, if a wait takes no timeout; otherwise -1
	timing   bool  // the timerfd is polled

	at    fdTable // maps to slots
	slots []ringSlot
	free  []uint32
	todo  fifo[uint32] // slots to arm
	ready fifo[uint32] // slots with news
	// Slots whose poll reported only news that no one has asked for, and the time to arm them again.
	paused  fifo[uint32]
	resumes time.Time

	unsent  fifo[uint64] // tokens of polls that have to be withdrawn again
	leaving int          // polls that were withdrawn and have not ended
	spilled bool         // completions that are being reaped did not fit into the CQ
	lost    uint32       // completions that the kernel has dropped, as last seen
	dead    posix.Errno
	cqes    [256]uring.CQE
}

// ringSlot is a descriptor in the set, or, with a negative fd, a place for one.
type ringSlot struct {
	fd       int32
	gen      uint32
	interest uint32
	ready    uint32 // not reported yet
	key      uint64
	armed    bool
	inTodo   bool
	inReady  bool
	inPaused bool
	ends     uint8 // how often in a row a multishot poll has ended at its first completion
}

// OpenRing opens an io_uring of so many entries as a set, for the calling thread only. With multishot polls (Linux
// 5.13) it is edge-triggered, without them level-triggered. without names features not to use, in the words of
// RINGO_MASK. The error is a *uring.SetupError or an *os.SyscallError, or explains what is wrong with without.
func OpenRing(entries int, without []string) (Poller, error) {
	m, err := mask.Parse(strings.Join(without, ","))
	if err != nil {
		return nil, err
	}
	r, err := openPatiently(entries, seam.Put(&uring.Config{}, seam.Seam{Mask: m}))
	if err != nil {
		return nil, err
	}
	p := &ring{r: r, timer: -1}
	p.extArg = r.Features()&uring.FeatExtArg != 0
	const deferred = uring.SetupDeferTaskrun | uring.SetupCoopTaskrun
	p.mustLook = r.Flags()&deferred != 0 && r.Flags()&uring.SetupTaskrunFlag == 0
	if err := p.prepare(); err != nil {
		p.Close()
		return nil, err
	}
	return p, nil
}

// openPatiently tries several times: the kernel returns the memory that was charged for a closed ring only after some
// time.
func openPatiently(entries int, cfg *uring.Config) (r *uring.Ring, err error) {
	const tries = 5
	for try := range tries {
		if r, err = uring.Open(entries, cfg); !errors.Is(err, posix.ENOMEM) {
			return r, err
		}
		time.Sleep(time.Millisecond << try)
	}
	return nil, err
}

// prepare finds out how this kernel polls, which also shows whether the ring may be entered at all, and makes the
// timerfd if it is needed.
func (p *ring) prepare() error {
	fd := sys.Eventfd()
	if fd < 0 {
		return os.NewSyscallError("eventfd2", posix.Of(fd))
	}
	defer sys.Close(fd)
	sys.Signal(fd)
	p.multi = true
	if !p.polls(fd) {
		p.multi = false
		if !p.polls(fd) && p.dead == 0 {
			return os.NewSyscallError("IORING_OP_POLL_ADD", posix.EOPNOTSUPP)
		}
	}
	if p.dead != 0 {
		return os.NewSyscallError("io_uring_enter", p.dead)
	}
	if p.extArg {
		return nil
	}
	if p.timer = sys.Timerfd(); p.timer < 0 {
		return os.NewSyscallError("timerfd_create", posix.Of(p.timer))
	}
	return nil
}

// polls reports whether polls work in the present mode. fd is readable.
func (p *ring) polls(fd int32) bool {
	const key = 1
	p.Add(fd, sys.PollIn, key)
	var events [1]Event
	n := p.Wait(0, events[:])
	goesOn := p.slots[p.at.find(fd)].armed
	p.Remove(fd)
	return n == 1 && events[0] == Event{Key: key, Ready: sys.PollIn} && goesOn == p.multi
}

func (p *ring) Name() string        { return "uring-poll" }
func (p *ring) EdgeTriggered() bool { return p.multi }
func (p *ring) Bound() int32        { return math.MaxInt32 }

// Entries returns the size of the submission queue.
func (p *ring) Entries() int { return p.r.SQEntries() }

func (p *ring) Features() []string {
	features := strings.Split(strings.ToLower(p.r.Flags().String()), "|")
	if p.extArg {
		features = append(features, uring.CheckExtArg)
	}
	if p.multi {
		return append(features, "edge-triggered", uring.CheckPollMultishot)
	}
	return append(features, "level-triggered")
}

func (p *ring) Add(fd int32, interest uint32, key uint64) int32 {
	if res := p.at.room(fd); res < 0 {
		return res
	}
	if p.at.find(fd) >= 0 {
		return -sys.EEXIST
	}
	if len(p.free) == 0 {
		p.free = append(p.free, uint32(len(p.slots)))
		p.slots = append(p.slots, ringSlot{fd: -1})
	}
	index := p.free[len(p.free)-1]
	p.free = p.free[:len(p.free)-1]
	s := &p.slots[index]
	s.fd, s.interest, s.key, s.ready, s.ends = fd, interest&^Why, key, 0, 0
	p.at.put(fd, int(index))
	p.list(index)
	return 0
}

// Modify replaces the poll. The old one may end at any time: its completions carry an older generation.
func (p *ring) Modify(fd int32, interest uint32, key uint64) int32 {
	index := p.at.find(fd)
	if index < 0 {
		return -sys.ENOENT
	}
	s := &p.slots[index]
	if s.armed {
		p.withdraw(p.outdate(uint32(index)))
	}
	s.interest, s.key, s.ready, s.ends = interest&^Why, key, 0, 0
	p.list(uint32(index))
	return 0
}

func (p *ring) Remove(fd int32) int32 {
	index := p.at.find(fd)
	if index < 0 {
		return -sys.ENOENT
	}
	p.at.drop(fd)
	s := &p.slots[index]
	if s.armed {
		p.withdraw(p.outdate(uint32(index)))
	}
	s.fd, s.ready = -1, 0
	p.free = append(p.free, uint32(index))
	p.end() // also waits for polls that Modify has withdrawn
	return 0
}

// outdate starts the next generation of an armed slot, and returns the token of the one before.
func (p *ring) outdate(index uint32) (token uint64) {
	s := &p.slots[index]
	token = s.token(index)
	s.gen = (s.gen + 1) & genMask
	s.armed = false
	p.leaving++
	return token
}

// withdraw asks the kernel to end a poll. If there is no free entry, it returns false, and insist will try again.
func (p *ring) withdraw(token uint64) bool {
	e := p.sqe()
	if e == nil {
		p.unsent.push(token)
		return false
	}
	e.PrepPollRemove(token)
	e.UserData = token&^marks | markControl
	return true
}

// insist withdraws again what could not be withdrawn, and reports whether the kernel has all withdrawals now.
func (p *ring) insist() bool {
	for range p.unsent.len() {
		if !p.withdraw(p.unsent.pop()) {
			return false
		}
	}
	return true
}

// end enters until all withdrawn polls have ended. One enter suffices, except for polls that are just being completed.
// After the last try it gives up on polls that have not ended.
func (p *ring) end() {
	const tries = 100
	for try := 0; p.leaving > 0 && p.dead == 0; try++ {
		if try == tries {
			p.leaving = 0
			return
		}
		p.insist()
		p.enter(0, -1)
		p.reap()
	}
}

// Close ends all polls before it closes the ring: the kernel would end them too, but some time later, and until then
// they hold the files.
func (p *ring) Close() {
	if p.r.FD() < 0 {
		panic("poller: ring closed twice")
	}
	for i := range p.slots {
		if s := &p.slots[i]; s.armed {
			p.withdraw(p.outdate(uint32(i)))
		}
	}
	p.end()
	p.r.Close()
	if p.timer >= 0 {
		sys.Close(p.timer)
	}
}
