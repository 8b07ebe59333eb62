package sim

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net"
	"net/netip"
	"slices"
	"strings"
	"time"

	"ringo"
	"ringo/internal/driver"
	"ringo/internal/driver/open"
	"ringo/internal/loop"
	"ringo/internal/op"
	"ringo/internal/sim/memkernel"
	"ringo/internal/sim/simdriver"
	"ringo/internal/sim/stage"
	"ringo/internal/sim/world"
)

// A Host is a machine of a world: a kernel with its descriptors and addresses, a disk, a clock.
type Host struct {
	// Disk configures the delays and faults of its disk.
	Disk Disk
	// Calls configures faults of its system calls.
	Calls Calls
	// Names configures the delays and faults of its name look-ups.
	Names Names
	// Lends makes programs that start later receive from TCP as on io_uring, in buffers that the kernel fills before
	// the program reads, instead of as on epoll.
	Lends bool

	w      *World
	index  int
	name   string
	addrs  []netip.Addr
	k      *memkernel.Host
	asks   *stage.Guarded // k, as its loops use it
	boots  []*Program     // programs that start again when the host does
	actors []*actor       // of the loops that run
	dying  []*actor       // of the loops that a crash has ended, and that have not been unwound yet
	wall   time.Duration
	drift  float64
	since  int64 // when that began
	paused int64 // until when the host is paused

	crashes int // how often Crash was called
	mended  int // what that was at the last Restart: the same while that is on its way

	fault    error      // the error of its drivers, see FailDriver
	midTurns []*midTurn // of the storms that are under way
	right    settings   // the settings when they were checked last
}

// midTurn says how often a storm crashes a host during a call, and for how long.
type midTurn struct {
	part float64
	back time.Duration
}

// actor is a loop that takes turns.
type actor struct {
	a *world.Actor
	l *loop.Loop
	p *Program
}

// Host makes a host. Its addresses are 10.0.0.1 and fd00::1 for the first one, and so on. It panics if another host has
// the name, ignoring case.
func (w *World) Host(name string) *Host {
	defer w.stage.Enter()()
	if h := w.named[plain(name)]; h != nil {
		panic(fmt.Sprintf("sim: World.Host: %q: host %d has the name %q", name, h.index, h.name))
	}
	n := len(w.hosts) + 1
	if n >= 1<<24 {
		panic("sim: World.Host: there are no addresses for more")
	}
	v6 := [16]byte{0xfd, 13: byte(n >> 16), 14: byte(n >> 8), 15: byte(n)}
	h := &Host{w: w, index: n, name: name,
		addrs: []netip.Addr{netip.AddrFrom4([4]byte{10, byte(n >> 16), byte(n >> 8), byte(n)}), netip.AddrFrom16(v6)}}
	h.k = w.net.Host(name, h.addrs...)
	h.asks = stage.Guard(w.stage, h.k)
	h.k.Disk = h.diskTime
	h.k.Fail = h.fails
	h.k.Room = func() { h.k.Capacity, h.k.Quota = h.Disk.Capacity, h.Disk.Quota }
	h.k.Wall = h.clock
	h.k.Short, h.k.Decays, h.k.Lacks = h.part, h.decays, h.lacks
	w.hosts, w.named[plain(name)] = append(w.hosts, h), h
	return h
}

// Hosts returns the hosts of the world, in the order in which they were made.
func (w *World) Hosts() []*Host { return w.hosts }

// Name returns the host's name.
func (h *Host) Name() string { return h.name }

// Addr returns its IPv4 address. It also has an IPv6 address and the loopback addresses.
func (h *Host) Addr() netip.Addr { return h.addrs[0] }

// A Program is a program that runs, or ran, on a host; see Host.Run.
type Program struct {
	host *Host
	cfg  *ringo.Config
	fn   func(l *ringo.Loop) error
	p    *loop.Program
	dead bool
	err  error // the error that kept it from running
}

// Run starts a program on the host, now unless the host is down, and whenever it is restarted. cfg and fn are those of
// ringo.Run; Driver, Place, CPUs, Reserve, Spin, and the fields for stalls and holds are ignored. The program runs
// while the script lets time pass.
func (h *Host) Run(cfg *ringo.Config, fn func(l *ringo.Loop) error) *Program {
	defer h.w.stage.Enter()()
	wantFunc(fn != nil, "Host.Run")
	p := &Program{host: h, cfg: cfg, fn: fn}
	h.boots = append(h.boots, p)
	h.w.programs = append(h.w.programs, p)
	switch {
	case !h.w.ended && !h.k.Down():
		h.start(p)
	case h.w.ended || h.mended != h.crashes:
		p.dead = true
	}
	return p
}

// ErrCrashed is the error of a program that was ended by a crash of its host, if the host was not restarted.
var ErrCrashed = errors.New("sim: the host has crashed")

// ErrOutside is returned by calls on a world's loops and handles unless the caller is a task on the same host.
var ErrOutside = loop.ErrLeft

// Err returns what ringo.Run would return, once the program has ended, or ErrCrashed.
func (p *Program) Err() error {
	if p.dead {
		return ErrCrashed
	}
	if p.err != nil || p.p == nil {
		return p.err
	}
	return p.p.Err()
}

// Ended reports whether the program has ended, or its host has crashed and is still down, even if it was down when Run
// was called.
func (p *Program) Ended() bool { return p.err != nil || p.dead || p.p != nil && p.p.Ended() }

// of returns the host that a program runs on; nil if p is nil.
func (p *Program) of() *Host {
	if p == nil {
		return nil
	}
	return p.host
}

// Drain ends the program as the end of ringo.Run's context does.
func (p *Program) Drain() {
	if p.p != nil && !p.Ended() {
		p.p.Drain()
	}
}

// start starts a program.
func (h *Host) start(p *Program) {
	w := h.w
	public := p.cfg
	if public == nil {
		public = &ringo.Config{}
	}
	own := *public
	own.Driver, own.Place, own.CPUs, own.Reserve = "", ringo.Anywhere, nil, 0
	own.Spin, own.StallLimit, own.HoldLimit, own.OnStall = 0, -1, -1, nil
	if own.Loops == 0 {
		own.Loops = 1
	}
	if own.Buffers == 0 {
		own.Buffers = 16
	}
	if own.BufferSize == 0 {
		own.BufferSize = 4096
	}
	cfg, err := loop.Resolve(&own)
	if err != nil {
		p.err = err
		return
	}
	cfg.Kernel, cfg.World = h.asks, stage.Host{Stage: w.stage, Kernel: h.asks, Lookup: h.lookup}
	cfg.Clock = func() time.Time {
		defer w.stage.Enter()()
		return h.clock()
	}
	begun := w.w.Now()
	cfg.Since = func(time.Time) time.Duration { return time.Duration(w.now() - begun) }
	cfg.Warn, cfg.Complain = func(string, ...any) {}, func(text string) { w.Logf("%s: %s", h.name, text) }
	if cfg.OnPanic == nil {
		cfg.OnPanic = func(l *loop.Loop, v any, stack []byte) {
			who := "a task"
			if l.Killed() {
				who = "a deferred function of a task that was ended, as by a crash,"
			}
			w.fail(fmt.Sprintf("%s of %s has panicked: %v\n%s", who, h.name, v, stack))
		}
	}
	var actors []*actor
	cfg.Open = func(dc driver.Config) (driver.Driver, error) {
		a := actors[dc.Loop]
		dc.Reason = "it is simulated"
		dc.Fault = func() error { return h.fault }
		return open.With(func(dc driver.Config) (driver.Driver, error) {
			return simdriver.Open(simdriver.Config{Config: dc, Host: h.k, World: w.w, Turns: a.a, Lends: h.Lends,
				Killed: a.l.Killed, Enter: w.stage.Enter, Note: func(o *op.Op, res int32) { w.noteOp(h, o, res) }})
		}, dc)
	}
	fn := p.fn
	p.dead = false
	p.p = loop.NewProgram(context.Background(), cfg, func(l *loop.Loop) error { return fn((*ringo.Loop)(l)) })
	w.note(Event{Kind: Began, Host: h.index})
	for _, l := range p.p.Loops() {
		a := &actor{l: l, p: p}
		actors = append(actors, a)
		a.a = w.w.Go(func(*world.Actor) { w.stage.Runs(l, func() { p.p.Run(l) }) }, a)
	}
	h.actors = append(h.actors, actors...)
}

// Begins begins a loop's turn, unless its host is paused.
func (a *actor) Begins(onward bool) bool {
	h := a.p.host
	w := h.w
	if w.w.Now() < h.paused && !a.l.Killed() {
		a.a.Delay(time.Duration(h.paused - w.w.Now()))
		return false
	}
	if !onward {
		w.trace.turn(w.w.Now(), h.index, a.l.Index())
	}
	w.watch.begin(a)
	w.stage.TurnBegins(a.l)
	return true
}

// Ends ends a turn.
func (a *actor) Ends() {
	w := a.p.host.w
	w.stage.TurnEnds()
	w.watch.ends()
	if a.a.Ended() && a.p.p.Ended() {
		w.programEnded(a.p)
	}
}

// programEnded checks what a program has left behind.
func (w *World) programEnded(p *Program) {
	h := p.host
	w.note(Event{Kind: Ended, Host: h.index})
	for i := 0; i < len(h.actors); {
		if h.actors[i].p == p {
			h.actors = append(h.actors[:i], h.actors[i+1:]...)
			continue
		}
		i++
	}
	if w.goroutines { // here the last caller that uses a descriptor closes it
		w.after(0, func() { w.leftOpen(p) })
		return
	}
	w.leftOpen(p)
}

// leftMax bounds the open descriptors that are named.
const leftMax = 20

// leftOpen fails the world if a program that has ended has left descriptors open.
func (w *World) leftOpen(p *Program) {
	if h := p.host; len(h.actors) == 0 && !p.dead && h.k.Open() != 0 && p.p.Err() == nil {
		w.fail(fmt.Sprintf("%s: %d descriptors are left open at the program's end: %s", h.name, h.k.Open(),
			strings.Join(h.k.Describe(leftMax), ", ")))
	}
}

// kill ends everything that runs on the host, wherever it is.
func (h *Host) kill() {
	for _, a := range h.actors {
		a.p.dead = true
		a.p.p.Kill()
	}
	h.dying, h.actors = append(h.dying, h.actors...), nil
	h.unwind()
}

// unwind lets the loops that were killed run their deferred functions.
func (h *Host) unwind() {
	for len(h.dying) > 0 {
		a := h.dying[0]
		h.dying = h.dying[1:]
		a.a.RunNow()
	}
}

// Crash makes the host lose power. Its tasks stop, except for their deferred functions, which have no effect outside.
// Its peers get no notice. Its disk keeps synced data and a random part of the rest. A crash by a task of the host
// itself, or during its call, takes effect at the end of that call. A host that is down stays down: it is not restarted
// by a storm that has crashed it, nor by a Restart of the same moment before.
func (h *Host) Crash() {
	defer h.w.stage.Enter()()
	if h.crashes++; h.k.Down() {
		return
	}
	h.w.note(Event{Kind: Crashed, Host: h.index})
	h.k.Crash()
	for _, a := range h.actors {
		a.p.dead = true
		a.p.p.Kill()
	}
	h.dying, h.actors = append(h.dying, h.actors...), nil
	h.w.after(0, h.unwind)
}

// crashFor crashes a host that runs, and restarts it when d has passed, unless Crash was called meanwhile.
func (h *Host) crashFor(d time.Duration) {
	h.Crash()
	crash := h.crashes
	h.w.after(d, func() {
		if h.crashes == crash {
			h.Restart()
		}
	})
}

// Down reports whether the host has crashed and was not restarted.
func (h *Host) Down() bool {
	defer h.w.stage.Enter()()
	return h.k.Down()
}

// Restart starts a crashed host again, with only its disk: all its programs are started. After the script's end it
// stays down.
func (h *Host) Restart() {
	defer h.w.stage.Enter()()
	h.mended = h.crashes
	h.w.after(0, func() { // after what ran has ended
		if !h.k.Down() || h.w.over || h.crashes != h.mended {
			return
		}
		h.w.note(Event{Kind: Restarted, Host: h.index})
		h.k.Restart()
		h.fault, h.paused = nil, 0
		for _, p := range h.boots {
			h.start(p)
		}
	})
}

// Pause stops the host's loops for d, as on a machine that swaps, or until it is restarted. Its kernel goes on: it
// acknowledges, accepts what a backlog has room for, and queues what comes. For a machine that is suspended, use
// World.Partition and MendAll, or Cut and Mend, too.
func (h *Host) Pause(d time.Duration) {
	defer h.w.stage.Enter()()
	h.w.note(Event{Kind: Paused, Host: h.index, N: int64(d)})
	h.paused = max(h.paused, h.w.w.Later(d))
	h.w.w.Interrupt() // a task of the host itself may have called
}

// SetDescriptors bounds how many descriptors the host may have open; more fail with EMFILE. 0 means the default, a
// million.
func (h *Host) SetDescriptors(most int) {
	defer h.w.stage.Enter()()
	if most <= 0 {
		most = 1 << 20
	}
	h.k.SetDescriptors(most)
}

// SetPorts bounds how many ephemeral ports the host has for sockets such as those of Dial; more fail with
// EADDRNOTAVAIL. As on Linux connections to different addresses may share a port. 0 means the default, 28232.
func (h *Host) SetPorts(most int) {
	defer h.w.stage.Enter()()
	h.k.SetPorts(most)
}

// clock returns the host's wall clock time.
func (h *Host) clock() time.Time {
	return h.w.Now().Add(h.wall).Add(h.drifted())
}

// StepClock moves the host's wall clock, but not its monotonic clock. Loops see it within a second.
func (h *Host) StepClock(d time.Duration) {
	defer h.w.stage.Enter()()
	h.w.note(Event{Kind: ClockStepped, Host: h.index, N: int64(d)})
	h.wall = sum(h.wall, d)
}

// drifted returns what the wall clock has gained since its rate was set. A single product is rounded alike by all
// processors.
func (h *Host) drifted() time.Duration {
	gained := h.drift * float64(h.w.w.Now()-h.since)
	switch {
	case gained >= math.MaxInt64:
		return math.MaxInt64
	case gained <= math.MinInt64:
		return math.MinInt64
	}
	return time.Duration(gained)
}

// DriftClock makes the host's wall clock gain rate seconds a second from now on, or lose them if rate is negative.
func (h *Host) DriftClock(rate float64) {
	defer h.w.stage.Enter()()
	if math.IsNaN(rate) || math.IsInf(rate, 0) {
		panic(fmt.Sprintf("sim: Host.DriftClock: the rate is %v", rate))
	}
	h.wall = sum(h.wall, h.drifted())
	h.drift, h.since = rate, h.w.w.Now()
}

// Clock returns the time on the host's wall clock.
func (h *Host) Clock() time.Time {
	defer h.w.stage.Enter()()
	return h.clock()
}

// Names configures the delays and faults of a host's name look-ups.
type Names struct {
	Latency time.Duration // of each look-up
	Fail    float64       // fraction of look-ups that fail, as if no server had answered
	Wrong   float64       // fraction of look-ups that return another host's address
}

// lookup is the host's look-up of a name, in a task.
func (h *Host) lookup(l *loop.Loop, name string) ([]netip.Addr, error) {
	if plain(name) == "localhost" {
		return []netip.Addr{netip.AddrFrom4([4]byte{127, 0, 0, 1}), netip.IPv6Loopback()}, nil
	}
	h.checks()
	if h.Names.Latency > 0 && l.Sleep(h.Names.Latency) < 0 {
		return nil, l.Cause()
	}
	if h.w.faults.happens(FaultNames, h, h.Names.Fail) {
		return nil, &net.DNSError{Err: "the server does not answer", Name: name, IsTemporary: true, IsTimeout: true}
	}
	addrs := h.w.lookup(name)
	if len(addrs) == 0 {
		return nil, &net.DNSError{Err: "no such host", Name: name, IsNotFound: true}
	}
	others := slices.DeleteFunc(slices.Clone(h.w.hosts), func(o *Host) bool { return o.addrs[0] == addrs[0] })
	if len(others) > 0 && h.w.faults.happens(FaultWrongName, h, h.Names.Wrong) {
		return slices.Clone(others[h.w.w.Rand().IntN(len(others))].addrs), nil
	}
	return addrs, nil
}

// left fails the world because of a call from outside.
func (w *World) left(what string, stack []byte) {
	w.watch.left(fmt.Errorf("%s came from outside of the world's tasks: %w\n%s", what, errOutside, stack))
}

// exits handles a task that calls runtime.Goexit, which a program may do, and which a test's Fatal does.
func (w *World) exits(l *loop.Loop) {
	if how := goesBy(); how != exitsItself {
		w.leaves("a task of "+w.hostOf(l.Kernel().(*stage.Guarded).HostKernel.(*memkernel.Host)).name, how)
	}
}

var errOutside = errors.New("goroutines and the script can't use a world's loops and handles")

// FailDriver makes the drivers of the host's loops fail with an error, as those of a real system may. The programs end
// with it, as ringo.Run does.
func (h *Host) FailDriver(err error) {
	defer h.w.stage.Enter()()
	h.fault = err
	for _, a := range h.actors {
		a.a.Rouse()
	}
}

// Open returns how many descriptors the host's programs have open.
func (h *Host) Open() int {
	defer h.w.stage.Enter()()
	return h.k.Open()
}
