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

// Core is what all handles on a descriptor have in common, beside what each kind can do: access to the directions, for
// callers of all kinds; the deadlines; the lifetime.
//
// The lifetime belongs to the loop: only its thread changes the state.
//
//	open ──BeginClose──▶ closing ──Settle──▶ settled ──finish──▶ closed
//	          │             │                   │                   └─ callers in Close return
//	          │             │                   ├─ the loop closes the descriptor
//	          │             │                   ├─ it lingers: a goroutine closes it
//	          │             │                   └─ the handle leaves its loop: it stays open
//	          │             └─ foreign callers still use it: it is an orphan, which the last of
//	          │                them settles, or closes if the loop has ended
//	          └─ Close of any caller, an error in Serve, Abandon: the loop ends, or its driver has died
//
//	closing  new calls fail, ops in flight are cancelled, waiting callers are woken
//	settled  no op is in flight, and no foreign caller uses it
//	closed   the descriptor is closed, or the handle's to keep
//
// The caller that closes the descriptor resumes the foreign callers in Close, and not mail to a loop, because the loop
// may have ended. A foreign caller that is the first one, and comes after the close has begun, waits by a task of the
// loop, see closeForeign. A detached handle, which no loop knows, gets closed without a loop: see Registry.
type Core struct {
	l        *loop.Loop
	hooks    Hooks
	own      *Own                    // nil while the handle is detached
	foreign  atomic.Pointer[foreign] // made by the first foreign caller
	limits   [2]atomic.Int64         // the deadlines, by NowNS; 0: none
	fd       fd.FD
	state    state
	kind     loop.Kind             // for the loop's counts
	keepsFD  bool                  // the descriptor stays open when the handle is closed
	patience patience              // with the peer, in a drain; only for the loop's thread
	messages bool                  // calls need more memory than a slice, so foreign callers keep their ops
	sendErr  atomic.Pointer[error] // of a send, if no call before Close has returned it
	linger   atomic.Int32          // the argument of SetLinger plus 1; 0 if it was not set
	idle     atomic.Int32          // see SetIdle

	closeCalled atomic.Uint32 // how the program has called for the close, see byClose
	born        uint32        // when it was made, in the unit of bornAt; 0: not known
}

type state uint8

const (
	detached state = iota // or not made yet: no loop knows the handle
	open
	closing
	settled // nothing uses the descriptor
	closed  // the descriptor is closed
)

// Own is the part of a handle that only the thread of its loop uses.
type Own struct {
	dirs    [2]Direction
	out     output
	closers loop.TaskList // tasks in Close, or in AwaitCopy while the handle is open
	open    loop.Handle   // links the handle into the loop's list
}

// Hooks is the rest of the handle, which has what only its kind can do. All methods but Holds, Show, Tell(Uncounted)
// and Tell(Closed) run on the loop's thread.
//
// Only the input needs a handover: nothing is armed on the output between two calls, and accepted bytes are sent
// first.
type Hooks interface {
	// Attach makes what tasks of the loop need, for a handle that was detached.
	Attach() *Own
	// Release gives the input to foreign callers, with the bytes that were received and not read. Nothing is armed
	// then. Acquire takes it back.
	Release(*stream.In)
	Acquire(*stream.In)
	// Holds reports whether there is input that the kernel no longer has and no caller has got. The caller has access.
	Holds(*stream.In) bool
	// Rests reports whether a callback waits for input, with no caller in a call. Expired is called when the input's
	// deadline passes meanwhile.
	Rests() bool
	Expired()
	// SendFailed is called when accepted bytes could not be sent, for a reason that does not mean the end of the
	// connection, so that the kernel reports it to no reader.
	SendFailed(res int32)
	// Tell is called when something happens to the handle.
	Tell(Event)
	// Show fills in what never changes, for a list of handles. It may run on any thread. With here it runs on the
	// loop's thread while the input belongs to the loop, and also fills in how much was received or accepted that no
	// caller has got.
	Show(i *census.HandleInfo, here bool)
}

// Event is what happens to a handle.
type Event uint8

const (
	// Draining means that accepts have stopped, and the second time that Grace has ended.
	Draining Event = iota
	// CloseCalled means that a caller has called Close, which is about to begin.
	CloseCalled
	// Closing means that the handle closes, for whatever reason: hooks end the waits that they keep themselves.
	Closing
	// Settled means that nothing is in flight: the handle gives up what it holds.
	Settled
	// Uncounted means, for counts, that the descriptor is closed or has another owner. It comes once, on any thread,
	// before any caller learns that the handle is closed.
	Uncounted
	// Closed means that the descriptor is closed. It may come on any thread if the loop has ended or the handle is
	// detached.
	Closed
	// Abandoned means that the loop ends and has closed the handle.
	Abandoned
)

// NoHooks is Hooks that do nothing. Handles that need only some of the methods embed it.
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

// Init makes c a handle of a descriptor that a task of l has opened.
func (c *Core) Init(l *loop.Loop, hooks Hooks, kind loop.Kind, sys int32, own *Own) {
	c.l, c.hooks, c.kind = l, hooks, kind
	c.fd.Init(sys)
	c.born = bornAt(l.NowNS())
	c.attachTo(own)
	l.Handles().Opened(kind)
}

// attachTo links the handle into its loop's list.
func (c *Core) attachTo(own *Own) {
	c.own, c.state = own, open
	c.l.Handles().Register(&own.open, (*opened)(c))
}

// Loop returns the loop that the handle belongs to; nil for a zero value.
func (c *Core) Loop() *loop.Loop { return c.l }

// FD returns the descriptor.
func (c *Core) FD() *fd.FD { return &c.fd }

// Closing reports whether the handle closes or is closed. For tasks of the loop.
func (c *Core) Closing() bool { return c.state > open }

// Settled reports whether nothing of the handle is in flight. For tasks of the loop.
func (c *Core) Settled() bool { return c.state >= settled }

// SetLinger sets what happens at the close to bytes that were not sent. If sec is negative they are sent in the
// background; if it is 0 they are dropped; if it is more Close waits for them, for so many seconds.
func (c *Core) SetLinger(sec int) { c.linger.Store(int32(min(max(sec, -1), math.MaxInt32-1)) + 1) }

// Messages declares that calls need more memory than a slice: addresses, vectors, control messages. It must be called
// before the handle is used.
func (c *Core) Messages() { c.messages = true }

// Linger returns the argument of SetLinger; negative if it was not called.
func (c *Core) Linger() int { return int(c.linger.Load()) - 1 }

// lingers reports whether close(2) may wait in the kernel.
func (c *Core) lingers() bool { return c.Linger() > 0 }

// Runs reports whether the caller is a task of the loop, and the handle is attached and open: the common case, which
// is inlined. In an iterator it may report false.
func (c *Core) Runs() bool {
	return c.l != nil && c.l.Mark().IsCurrent() && c.state == open
}

// Check begins a task's call that needs no access.
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

// Free reports whether State would return nil, in the common case: open and without a deadline. For tasks of the loop.
func (c *Core) Free(dir Dir) bool { return c.state == open && c.limits[dir&1].Load() == 0 }

// State returns why a caller must not go on in a direction; nil if it may. It loads the deadline once. A reader with
// leeway may go on behind its deadline. For tasks of the loop.
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

// InTime is called by a task that has access and is about to yield for an unknown time. If its deadline has not passed
// now, or it has leeway, it has leeway when it goes on.
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

// Ask makes a system call on the descriptor that needs no access and does not wait. The error is that of the call, by
// this name, or says why it was not made. Any caller.
func (c *Core) Ask(name string, call func(k kernel.Kernel, fd int32) int32) (int32, error) {
	if c.l.IsCurrent() {
		if err := c.Check(); err != nil {
			return 0, err
		}
		return c.ask(name, call)
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
	return c.ask(name, call)
}

// AskLent is Ask for a direction that foreign callers have, and keep meanwhile. If the loop has it lent is false, and
// the kernel is not asked. Any foreign caller.
func (c *Core) AskLent(dir Dir, name string, call func(k kernel.Kernel, fd int32) int32) (lent bool, err error) {
	f, err := c.callers()
	if err != nil {
		return false, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case f.isClosing():
		return false, f.closedErr()
	case !f.halves[dir].held:
		return false, nil
	}
	_, err = c.ask(name, call)
	return true, err
}

func (c *Core) ask(name string, call func(k kernel.Kernel, fd int32) int32) (res int32, err error) {
	if res = call(c.l.Kernel(), c.fd.Sys()); res < 0 {
		err = CallError(name, res)
	}
	return res, err
}

// Forget makes the driver drop the descriptor, when foreign callers read from it: the driver would get an event for
// each arrival. For tasks of the loop.
func (c *Core) Forget() {
	if !c.fd.Busy() {
		c.l.Forget(&c.fd)
	}
}

// Take gives the descriptor to the caller, and leaves it open. It is for hooks that get Settled when the handle leaves
// its loop.
func (c *Core) Take() int32 {
	c.l.Forget(&c.fd)
	return c.fd.Take()
}

// ForeignClosing reports whether foreign callers have learned that the handle closes. Any caller.
func (c *Core) ForeignClosing() bool {
	f := c.foreign.Load()
	return f != nil && f.isClosing()
}
