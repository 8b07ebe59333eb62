// Package dial connects to the first of a name's addresses that answers, as RFC 8305 has it:
// Happy Eyeballs. It looks names up beside the loop, says in the words of package net what went
// wrong, and leaves it to its caller what to connect to an address is.
package dial

import (
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"slices"
	"time"

	"ringo/internal/loop"
	"ringo/internal/timer"
)

// Times and bounds of RFC 8305, section 8.
const (
	fallbackDelay   = 250 * time.Millisecond // an attempt's head start
	fallbackMin     = 10 * time.Millisecond  // the same, if time is short
	resolutionDelay = 50 * time.Millisecond  // that IPv4 waits for the addresses of IPv6
	attemptsMax     = 10                     // connects at once; the oldest makes way
)

// Race is a dial to a name: two look-ups and the attempts to connect, each a task of
// its own. The caller's task conducts them, and none outlives the dial.
//
//	look up IPv6 ──┐            ┌─▶ attempt ─┐
//	               ├─▶ untried ─┼─▶ attempt ─┼─▶ the first to connect wins
//	look up IPv4 ──┘            └─▶ …       ─┘
type Race struct {
	Loop    *loop.Loop
	Network string // "tcp", "tcp4" or "tcp6"
	Host    string
	Port    uint16
	Local   netip.Addr // whose family the addresses are to be of, if it is valid
	// LocalName is the local address in errors.
	LocalName string
	End       time.Time     // when it is too late; the zero time is never
	Delay     time.Duration // an attempt's head start; 0: that of the RFC; negative: one after the other
	// Lookup returns the addresses of a host of a network's family. It runs on a goroutine.
	Lookup func(ctx context.Context, network, host string) ([]netip.Addr, error)
	// Connect connects to an address, until end if that is not the zero time, and closes what it
	// made if it fails. It runs in a task of its own, which is cancelled when another has won.
	Connect func(ap netip.AddrPort, end time.Time) (io.Closer, error)

	clock func() time.Time // the loop's if nil

	task  *loop.Task // the caller's
	waits bool       // in wait
	timer timer.Timer

	lookups []*loop.Task
	untried [2][]netip.AddrPort // by family
	settle  int64               // until then IPv4 waits for IPv6
	running []*attempt          // the oldest first
	begun   int
	last    family // of the latest attempt
	next    int64  // when another may begin beside those that run

	lookup error // why there are no addresses
	failed failures
	won    io.Closer
	over   bool
}

// family is which of two protocols an address is of, as an index.
type family int

const (
	inet6 family = iota
	inet4
)

// attempt is one connect.
type attempt struct {
	task    *loop.Task
	gaveWay bool
}

// Run returns the connection that won, or why there is none. T, parks.
func (r *Race) Run() (io.Closer, error) {
	r.task, r.timer.Owner, r.last = r.Loop.Task(), (*raceAlarm)(r), inet4
	if r.Network != "tcp4" && !(r.Local.IsValid() && r.Local.Is4()) {
		r.look(inet6)
	}
	if r.Network != "tcp6" && !(r.Local.IsValid() && r.Local.Is6()) {
		r.look(inet4)
	}
	if len(r.lookups) == 0 {
		return nil, Error(r.Network, nil, Unsuitable(r.LocalName))
	}
	for r.won == nil && !r.Loop.Canceled() && r.goesOn() {
		if r.expired() {
			r.giveUpLooking() // one that waits for its turn in Offload has not heard of the time
		}
		switch at := r.nextAt(); {
		case at > r.Loop.NowNS():
			r.wait(at)
		case r.room():
			r.begin()
		default:
			r.wait(never)
		}
	}
	r.finish()
	switch {
	case r.won != nil:
		return r.won, nil
	case r.Loop.Canceled() && r.begun == 0:
		return nil, Error(r.Network, nil, LookupEnded(r.Host, r.Loop.Cause()))
	case r.Loop.Canceled():
		return nil, Error(r.Network, nil, r.Loop.Cause())
	case len(r.failed.errs) > 0:
		return nil, r.failed.of(r.Network)
	case r.lookup != nil:
		return nil, Error(r.Network, nil, r.lookup)
	}
	return nil, Error(r.Network, TCPAddr(r.pick()), Late)
}

// goesOn reports whether there is anything to wait for or to try.
func (r *Race) goesOn() bool {
	return len(r.running) > 0 || len(r.lookups) > 0 || r.untriedLen() > 0 && !r.expired()
}

func (r *Race) now() time.Time {
	if r.clock != nil {
		return r.clock()
	}
	return r.Loop.Clock()
}

func (r *Race) expired() bool { return !r.End.IsZero() && !r.now().Before(r.End) }

// untriedLen is how many addresses have not been tried.
func (r *Race) untriedLen() int { return len(r.untried[inet6]) + len(r.untried[inet4]) }

const never = int64(^uint64(0) >> 1)

// nextAt is when the next attempt may begin, as things stand.
func (r *Race) nextAt() int64 {
	switch {
	case r.untriedLen() == 0 || r.expired():
		return never // unless a look-up or an attempt says otherwise
	case r.begun == 0 && len(r.untried[inet6]) == 0 && len(r.lookups) > 0:
		return r.settle
	case len(r.running) == 0:
		return 0
	case r.Delay < 0:
		return never
	}
	return r.next
}

// look starts the look-up of the addresses of one family.
func (r *Race) look(f family) {
	network := [...]string{inet6: "tcp6", inet4: "tcp4"}[f]
	var addrs []netip.Addr
	var err error
	var t *loop.Task
	t = r.Loop.GoThen(func() {
		err = Beside(r.Loop, false, r.End, func(ctx context.Context) (err error) {
			addrs, err = r.Lookup(ctx, network, r.Host)
			return err
		})
	}, func(end error) {
		if end != nil {
			err = end // the resolver panicked, or ended its goroutine
		}
		if errors.Is(err, context.Canceled) && r.expired() {
			err = LookupEnded(r.Host, Late)
		}
		err = OfLookup(r.Host, err)
		r.lookups = slices.DeleteFunc(r.lookups, func(o *loop.Task) bool { return o == t })
		r.found(f, addrs, err)
	})
	r.lookups = append(r.lookups, t)
}

// giveUpLooking ends the look-ups.
func (r *Race) giveUpLooking() {
	for _, t := range r.lookups {
		t.Cancel()
	}
}

// found takes in what a look-up brought.
func (r *Race) found(f family, addrs []netip.Addr, err error) {
	if err != nil {
		r.lookup = telling(r.lookup, err)
		addrs = nil
		var dns *net.DNSError
		if r.Local.IsValid() && r.Network == "tcp" && !r.over && r.Local.Is4() == (f == inet4) &&
			errors.As(err, &dns) && dns.IsNotFound {
			r.look(1 - f) // there may be such a name all the same, without an address to dial from here
		}
	}
	for _, a := range addrs {
		if r.Local.IsValid() && r.Local.Is4() != a.Is4() {
			r.lookup = Unsuitable(r.LocalName)
			continue
		}
		r.untried[f] = append(r.untried[f], netip.AddrPortFrom(a, r.Port))
	}
	if f == inet4 && len(r.lookups) > 0 {
		r.settle = r.Loop.After(resolutionDelay)
	}
	r.poke()
}

// pick takes the next address: the families take turns, IPv6 first.
func (r *Race) pick() netip.AddrPort {
	f := 1 - r.last
	if len(r.untried[f]) == 0 {
		f = r.last
	}
	r.last = f
	ap := r.untried[f][0]
	r.untried[f] = r.untried[f][1:]
	return ap
}

// room reports whether another attempt may run; else the oldest is told to go.
func (r *Race) room() bool {
	if len(r.running) < attemptsMax {
		return true
	}
	if oldest := r.running[0]; !oldest.gaveWay {
		oldest.gaveWay = true
		oldest.task.Cancel()
	}
	return false
}

// begin starts an attempt.
func (r *Race) begin() {
	end := r.End
	if r.Delay < 0 {
		end = share(end, r.now(), r.untriedLen())
	}
	ap, a := r.pick(), new(attempt)
	r.begun++
	r.next = r.Loop.After(r.delay())
	r.running = append(r.running, a)
	var err error
	a.task = r.Loop.GoThen(func() {
		var c io.Closer
		c, err = r.Connect(ap, end)
		if err == nil && (r.won != nil || r.over) {
			c.Close() // another was faster
		} else if err == nil {
			r.won = c
		}
	}, func(end error) {
		switch {
		case end != nil: // Control panicked, or ended the task
			err = Error(r.Network, TCPAddr(ap), end)
		case err != nil && a.gaveWay:
			err = Error(r.Network, TCPAddr(ap), Slow)
		}
		r.running = slices.DeleteFunc(r.running, func(o *attempt) bool { return o == a })
		if err != nil {
			r.failed.add(err)
			r.next = 0
		}
		r.poke()
	})
}

// delay is the head start of the attempt that begins.
func (r *Race) delay() time.Duration {
	d := r.Delay
	if d == 0 {
		d = fallbackDelay
	}
	if !r.End.IsZero() {
		d = min(d, max(r.End.Sub(r.now())/time.Duration(r.untriedLen()+1), fallbackMin))
	}
	return d
}

// share is the deadline for the next of so many addresses that are tried one after
// the other: an equal part of the time that is left, but two seconds if there are as
// many, so that one address that swallows everything does not keep the others from
// being tried.
func share(end, now time.Time, addrs int) time.Time {
	if end.IsZero() {
		return end
	}
	left := end.Sub(now)
	part := max(left/time.Duration(addrs), min(left, 2*time.Second))
	return end.Add(part - left)
}

// wait parks until something has happened, or until a time of NowNS.
func (r *Race) wait(at int64) {
	if len(r.lookups) > 0 && !r.End.IsZero() && !r.expired() {
		at = min(at, r.Loop.At(r.End))
	}
	if at != never {
		r.Loop.Timers().Arm(&r.timer, at)
	}
	r.waits = true
	r.Loop.Park((*raceWait)(r))
	r.waits = false
	r.Loop.Timers().Disarm(&r.timer)
}

// poke ends a wait.
func (r *Race) poke() {
	if r.waits {
		r.waits = false
		r.Loop.Ready(r.task)
	}
}

// raceWait is the race as what its caller waits for.
type raceWait Race

// CancelWait lets the cancelled caller see to the others.
func (w *raceWait) CancelWait(*loop.Task) { (*Race)(w).poke() }

// DescribeWait tells that a dial waits for its look-ups and attempts, which are tasks of their own.
func (w *raceWait) DescribeWait(_ *loop.Task, d *loop.Wait) { d.Op, d.Details = "dial", w.Host }

// raceAlarm is the race as the owner of its timer.
type raceAlarm Race

// Fire says that the next attempt may begin.
func (a *raceAlarm) Fire(*timer.Timer) { (*Race)(a).poke() }

// finish ends what still runs, and waits for it: the losers close their sockets.
func (r *Race) finish() {
	r.over = true
	r.Loop.Timers().Remove(&r.timer)
	for _, a := range r.running {
		a.task.Cancel()
	}
	r.giveUpLooking()
	for len(r.running) > 0 {
		r.running[0].task.Wait()
	}
	for len(r.lookups) > 0 {
		r.lookups[0].Wait()
	}
}
