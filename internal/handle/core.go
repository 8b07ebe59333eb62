package handle

import (
	"math"
	"net"
	"sync/atomic"

	"ringo/internal/census"
	"ringo/internal/fd"
	"ringo/internal/kernel"
	"ringo/internal/loop"
	"ringo/internal/op"
	"ringo/internal/stream"
)

// Dir is one of the two directions of a handle, in which there is one caller at a time.
type Dir uint8

const (
	In  Dir = iota // reading, accepting
	Out            // writing
)

// Core is what every handle on a descriptor consists of beside what it can do: who has
// access to each direction, for callers of all kinds; the deadlines; the lifetime.
//
// The lifetime is the loop's, whose thread alone changes the state:
//
//	open ──BeginClose──▶ closing ──Settle──▶ settled ──finish──▶ closed
//	          │             │                   │                   └─ those in Close go on
//	          │             │                   ├─ the loop closes the descriptor
//	          │             │                   ├─ it lingers: a goroutine closes it
//	          │             │                   └─ the handle leaves its loop: it stays open
//	          │             └─ foreign callers still use it: it is an orphan, which the last of
//	          │                them settles, or closes if the loop has ended
//	          └─ Close of any caller, an error in Serve, Abandon: the loop ends, or its driver has died
//
//	closing  new calls fail, what is in flight is cancelled, all who wait are told
//	settled  nothing is in flight any more, and no foreign caller is at it
//	closed   the descriptor is closed, or the handle's to keep
//
// Foreign callers that wait in Close are let go by whoever closes the descriptor, not by
// mail to a loop, which may have ended. One that comes when the close has begun without any
// foreign caller waits by a task of the loop, see closeForeign. A detached handle has no loop
// that knows it, and goes to closed without one: see Registry.
type Core struct {
	l        *loop.Loop
	hooks    Hooks
	own      *Own                    // nil while the handle is detached
	foreign  atomic.Pointer[foreign] // made when the first foreign caller comes
	limits   [2]atomic.Int64         // the deadlines, of NowNS; 0: none
	fd       fd.FD
	state    state
	kind     loop.Kind             // what it is counted as
	keepsFD  bool                  // the descriptor stays open when the handle is closed
	patience patience              // for the peer, in a drain; the loop's
	messages bool                  // calls need more memory than a slice: foreign callers keep their ops
	sendErr  atomic.Pointer[error] // of a send that no call before Close was told
	linger   atomic.Int32          // what SetLinger has said, plus 1; 0: nothing
	idle     atomic.Int32          // see SetIdle

	closeCalled atomic.Uint32 // by the program, whoever began the close: see byClose
	born        uint32        // when it was made, in units of bornUnit; 0: not known
}

type state uint8

const (
	detached state = iota // or not made yet: no loop knows it
	open
	closing
	settled // nothing uses the descriptor any more
	closed  // it is closed
)

// Own is the part of a handle that only tasks of its loop use.
type Own struct {
	dirs    [2]Direction
	out     output
	closers loop.TaskList // in Close, or in AwaitCopy as long as it is open
	open    loop.Handle   // what the loop knows the handle by
}

// Hooks is the handle, for what only it can do. All of it but Attach and Tell(Closed) runs on the loop's thread.
//
// Only the input is handed over: on the output nothing is armed between two calls, and what was accepted is
// sent first.
type Hooks interface {
	// Attach makes what tasks of the loop need at a handle that was detached.
	Attach() *Own
	// Release hands the input over to foreign callers, with what was received and not read.
	// Nothing is armed. Acquire is the way back.
	Release(*stream.In)
	Acquire(*stream.In)
	// Holds reports whether there is input that the kernel no longer has and nobody was
	// given. The caller has access.
	Holds(*stream.In) bool
	// Rests reports whether the input is waited for by somebody who is in no call; Expired
	// is told when its deadline has passed then.
	Rests() bool
	Expired()
	// SendFailed says that what was accepted could not be sent, for a reason that says nothing of the
	// connection's end, so that the kernel tells nobody.
	SendFailed(res int32)
	// Tell says what happens to the handle.
	Tell(Event)
	// Show fills in what never changes, for a list of handles. It may run on any thread; here: on the loop's, while
	// the input is the loop's. Then it says how much was received, or accepted, that nobody was given, too.
	Show(i *census.HandleInfo, here bool)
}

// Event is what happens to a handle.
type Event uint8

const (
	// Draining says that accepts have stopped, and once more that Grace has ended.
	Draining Event = iota
	// CloseCalled says that somebody has called Close, which is about to begin.
	CloseCalled
	// Closing says that the handle closes, for whatever reason: those who wait in ways of its own are told so.
	Closing
	// Settled says that nothing is in flight any more: what the handle holds is given up.
	Settled
	// Uncounted says that its descriptor is closed, or somebody else's, for those who count. It is said once, by any
	// thread, before anybody is told that the handle is closed.
	Uncounted
	// Closed says that the descriptor is closed. The loop may have ended, and then this may run on any thread, as it
	// may where the handle is detached.
	Closed
	// Abandoned says that the loop ends and that the handle was closed for it.
	Abandoned
)

// NoHooks is Hooks that do nothing. Handles that do only some of it embed it.
type NoHooks struct{}

func (NoHooks) Attach() *Own                  { panic("handle: only connections are detached") }
func (NoHooks) Release(*stream.In)            {}
func (NoHooks) Acquire(*stream.In)            {}
func (NoHooks) Holds(*stream.In) bool         { return false }
func (NoHooks) Rests() bool                   { return false }
func (NoHooks) Expired()                      {}
func (NoHooks) SendFailed(int32)              {}
func (NoHooks) Tell(Event)                    {}
func (NoHooks) Show(*census.HandleInfo, bool) {}

// Init makes c a handle of a descriptor that tasks of l have made.
func (c *Core) Init(l *loop.Loop, hooks Hooks, kind loop.Kind, sys int32, own *Own) {
	c.l, c.hooks, c.kind = l, hooks, kind
	c.fd.Init(sys)
	c.born = bornAt(l.NowNS())
	c.attachTo(own)
	l.Handles().Opened(kind)
}

// attachTo makes the handle known to its loop.
func (c *Core) attachTo(own *Own) {
	c.own, c.state = own, open
	c.l.Handles().Register(&own.open, (*opened)(c))
}

// Loop is the loop that the handle belongs to; nil for a zero value.
func (c *Core) Loop() *loop.Loop { return c.l }

// FD is the descriptor.
func (c *Core) FD() *fd.FD { return &c.fd }

// Closing reports whether the handle closes or is closed. For tasks of the loop.
func (c *Core) Closing() bool { return c.state > open }

// Settled reports whether nothing of the handle is under way any more. For tasks of the loop.
func (c *Core) Settled() bool { return c.state >= settled }

// SetLinger says what becomes of bytes that are not sent when the handle closes. Negative: they are sent in the
// background. 0: they are dropped. More: Close waits for them, for so many seconds.
func (c *Core) SetLinger(sec int) { c.linger.Store(int32(min(max(sec, -1), math.MaxInt32-1)) + 1) }

// Messages says that calls need more memory than a slice: addresses, vectors, control messages. It is
// said once, before the handle is used.
func (c *Core) Messages() { c.messages = true }

// Linger is what SetLinger has said; negative if nothing.
func (c *Core) Linger() int { return int(c.linger.Load()) - 1 }

// lingers reports whether to close the descriptor may wait in the kernel.
func (c *Core) lingers() bool { return c.Linger() > 0 }

// Runs reports whether the caller is a task of the loop, and the handle attached and open: as a rule, and
// inlined. In an iterator it reports false.
func (c *Core) Runs() bool {
	return c.l != nil && c.l.Mark().IsCurrent() && c.state == open
}

// Check is what a call of a task begins with that needs no access.
func (c *Core) Check() error {
	c.attach()
	if c.state != open {
		c.l.ChargeAndYield() // also for one that goes on asking
		return net.ErrClosed
	}
	return nil
}

// CheckNow is Check for a call that must not park.
func (c *Core) CheckNow() error {
	c.attach()
	c.l.Charge()
	if c.state != open {
		return net.ErrClosed
	}
	return nil
}

// Free reports whether State has nothing to say, as a rule. For tasks of the loop.
func (c *Core) Free(dir Dir) bool { return c.state == open && c.limits[dir&1].Load() == 0 }

// State is why a caller must not go on in a direction; nil if it may. A deadline is loaded
// once, and what was loaded is acted on. Who has leeway may go on behind it. For tasks of the loop.
func (c *Core) State(dir Dir) error {
	if c.state != open {
		return net.ErrClosed
	}
	err := c.late(dir, c.l.NowNS())
	if err != nil && dir == In && c.mayLook() {
		return nil
	}
	return err
}

// InTime is said by a task that has access and is about to yield, not knowing for how long: if its deadline has not
// passed now, or it has leeway, it has it when it goes on.
func (c *Core) InTime(dir Dir) {
	if c.limits[dir&1].Load() != 0 {
		c.timerOf(&c.own.dirs[dir&1]).leeway.yields(c.turn(), c.Late(dir) == nil)
	}
}

// Try runs a plain call on the descriptor. For tasks of the loop.
func (c *Core) Try(o *op.Op) (int32, bool) {
	o.FD = &c.fd
	return c.l.Ops().Try(o)
}

// Ask asks the kernel about the descriptor what needs no access and does not wait. Any caller.
func (c *Core) Ask(question func(k kernel.Kernel, fd int32) int32) (int32, error) {
	if c.l.IsCurrent() {
		if err := c.Check(); err != nil {
			return 0, err
		}
		return question(c.l.Kernel(), c.fd.Sys()), nil
	}
	f, err := c.callers()
	if err != nil {
		return 0, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.isClosing() {
		return 0, f.closedErr()
	}
	return question(c.l.Kernel(), c.fd.Sys()), nil
}

// AskLent is Ask about a direction that is the foreign callers', which it stays meanwhile. lent is false if it is the
// loop's, and the kernel is not asked. Any foreign caller.
func (c *Core) AskLent(dir Dir, question func(k kernel.Kernel, fd int32) int32) (res int32, lent bool, err error) {
	f, err := c.callers()
	if err != nil {
		return 0, false, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case f.isClosing():
		return 0, false, f.closedErr()
	case !f.halves[dir].held:
		return 0, false, nil
	}
	return question(c.l.Kernel(), c.fd.Sys()), true, nil
}

// Forget has the driver let go of the descriptor, from which foreign callers read: it
// would be told of each arrival. For tasks of the loop.
func (c *Core) Forget() {
	if !c.fd.Busy() {
		c.l.Forget(&c.fd)
	}
}

// Take gives the descriptor, which stays open, to the caller: the handle leaves, and its
// hooks are told Settled.
func (c *Core) Take() int32 {
	c.l.Forget(&c.fd)
	return c.fd.Take()
}

// ForeignClosing reports whether foreign callers were told that the handle closes. Any caller.
func (c *Core) ForeignClosing() bool {
	f := c.foreign.Load()
	return f != nil && f.isClosing()
}
