// Package dial connects to the first of a name's addresses that answers, by RFC 8305 (Happy Eyeballs). It looks names
// up on goroutines, away from the loop, and its errors are those of package net. Its caller supplies the function that
// connects to an address.
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
	fallbackMin     = 10 * time.Millisecond  // the least head start if time is short
	resolutionDelay = 50 * time.Millisecond  // how long IPv4 addresses wait for the look-up of IPv6
	attemptsMax     = 10                     // connects at once; beyond that the oldest is cancelled
)

// Race is a dial to a name: two look-ups and the attempts to connect, each a task of its own. The task that calls Run
// starts them, and they have all ended when Run returns.
//
//	look up IPv6 ──┐            ┌─▶ attempt ─┐
//	               ├─▶ untried ─┼─▶ attempt ─┼─▶ the first to connect wins
//	look up IPv4 ──┘            └─▶ …       ─┘
type Race struct {
	Loop    *loop.Loop
	Network string // "tcp", "tcp4" or "tcp6"
	Host    string
	Port    uint16
	Local   netip.Addr // if valid, only addresses of its family are dialed
	// LocalName is the local address in errors.
	LocalName string
	End       time.Time     // the dial's deadline; the zero time is none
	Delay     time.Duration // an attempt's head start; 0: that of the RFC; negative: one attempt after the other
	// Lookup returns the addresses that a host has in a network's family. It runs on a goroutine.
	Lookup func(ctx context.Context, network, host string) ([]netip.Addr, error)
	// Connect connects to an address, until end if that is not the zero time. If it fails, it closes what it has
	// made. It runs in a task of its own, which is cancelled when another attempt has won.
	Connect func(ap netip.AddrPort, end time.Time) (io.Closer, error)

	clock func() time.Time // the loop's if nil

	task  *loop.Task // the caller's
	waits bool       // in wait
	timer timer.Timer

	lookups []*loop.Task
	untried [2][]netip.AddrPort // by family
	settle  int64               // until then IPv4 addresses wait for the look-up of IPv6
	running []*attempt          // the oldest first
	begun   int                 // attempts so far
	last    family              // of the latest attempt
	next    int64               // when another attempt may begin beside those that run

	lookup error // of the look-ups: why there are no addresses
	failed failures
	won    io.Closer
	over   bool // finish has begun
}

// family is the protocol of an address, as an index.
type family int

const (
	inet6 family = iota
	inet4
)

// attempt is one connect.
type attempt struct {
	task    *loop.Task
	gaveWay bool // cancelled to make room for another
}

// Run dials, and returns the first connection that was made, or the error if there is none. T, parks.
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
			r.giveUpLooking() // those in a simulated world don't know End
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

// goesOn reports whether there is anything left to wait for or to try.
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

// untriedLen returns how many known addresses have not been tried.
func (r *Race) untriedLen() int { return len(r.untried[inet6]) + len(r.untried[inet4]) }

const never = int64(^uint64(0) >> 1)

// nextAt returns when the next attempt may begin, a time of NowNS. The end of a look-up or an attempt may change it.
func (r *Race) nextAt() int64 {
	switch {
	case r.untriedLen() == 0 || r.expired():
		return never
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
	t = r.Loop.Go(func() {
		err = Beside(r.Loop, false, r.End, func(ctx context.Context) (err error) {
			addrs, err = r.Lookup(ctx, network, r.Host)
			return err
		})
	}).Then(func(end error) {
		if end != nil {
			err = end // the resolver has panicked, or has ended its goroutine
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

// giveUpLooking cancels the look-ups.
func (r *Race) giveUpLooking() {
	for _, t := range r.lookups {
		t.Cancel()
	}
}

// found takes the result of a look-up of one family.
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

// pick removes and returns the next address. The families alternate, IPv6 first.
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

// room reports whether another attempt may run. If not, it cancels the oldest one, whose end makes room.
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

// begin starts an attempt with the next address.
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
	a.task = r.Loop.Go(func() {
		var c io.Closer
		c, err = r.Connect(ap, end)
		if err == nil && (r.won != nil || r.over) {
			c.Close() // another was faster
		} else if err == nil {
			r.won = c
		}
	}).Then(func(end error) {
		switch {
		case end != nil: // the caller's Control has panicked, or has ended the task
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

// delay returns the head start of the attempt that begins. If the time until End is short, it is shared by the
// addresses, but no head start is cut to less than fallbackMin.
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

// share returns the deadline for the next of several addresses that are tried one after the other. It has an equal part
// of the time that is left, so that an address that never answers does not keep the others from being tried, but two
// seconds at least, or all that is left if that is less.
func share(end, now time.Time, addrs int) time.Time {
	if end.IsZero() {
		return end
	}
	left := end.Sub(now)
	part := max(left/time.Duration(addrs), min(left, 2*time.Second))
	return end.Add(part - left)
}

// wait parks until poke is called, or until the time at of NowNS, or until End if a look-up runs.
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

// raceWait is the race as a Waiter, for which the task that called Run parks.
type raceWait Race

// CancelWait resumes the cancelled caller, which then ends the other tasks.
func (w *raceWait) CancelWait(*loop.Task) { (*Race)(w).poke() }

// DescribeWait names the host. The dial's look-ups and attempts are tasks of their own, with their own descriptions.
func (w *raceWait) DescribeWait(_ *loop.Task, d *loop.Wait) { d.Op, d.Details = "dial", w.Host }

// raceAlarm is the race as the owner of its timer.
type raceAlarm Race

// Fire resumes the caller when the next attempt may begin, or the time is over.
func (a *raceAlarm) Fire(*timer.Timer) { (*Race)(a).poke() }

// finish cancels the attempts and look-ups that still run, and waits for them: the losers close their sockets.
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
