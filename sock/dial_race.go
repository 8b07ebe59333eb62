package sock

import (
	"context"
	"errors"
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

// race is a dial to a name: two look-ups and the attempts to connect, each a task of
// its own. The caller's task conducts them, and none outlives the dial.
//
//	look up IPv6 ──┐            ┌─▶ attempt ─┐
//	               ├─▶ untried ─┼─▶ attempt ─┼─▶ the first to connect wins
//	look up IPv4 ──┘            └─▶ …       ─┘
type race struct {
	d       *Dialer
	l       *loop.Loop
	network string
	host    string
	port    uint16
	local   netip.AddrPort
	end     time.Time

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
	errs   dialErrors
	won    *Conn
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

// run gives the connection that won, or why there is none. T, parks.
func (r *race) run() (*Conn, error) {
	r.task, r.timer.Owner, r.last = r.l.Task(), (*raceAlarm)(r), inet4
	if r.network != "tcp4" && !(r.local.IsValid() && r.local.Addr().Is4()) {
		r.look(inet6)
	}
	if r.network != "tcp6" && !(r.local.IsValid() && r.local.Addr().Is6()) {
		r.look(inet4)
	}
	if len(r.lookups) == 0 {
		return nil, dialError(r.network, nil, noFamily(r.host))
	}
	for r.won == nil && !r.l.Canceled() && r.goesOn() {
		if passed(r.end) {
			r.giveUpLooking() // one that waits for its turn in Offload has not heard of the time
		}
		switch at := r.nextAt(); {
		case at > r.l.NowNS():
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
	case r.l.Canceled():
		return nil, dialError(r.network, nil, r.l.Cause())
	case len(r.errs.errs) > 0:
		return nil, r.errs.of(r.network)
	case r.lookup != nil:
		return nil, dialError(r.network, nil, r.lookup)
	}
	return nil, dialError(r.network, tcpAddr(r.pick()), errLate)
}

// goesOn reports whether there is anything to wait for or to try.
func (r *race) goesOn() bool {
	return len(r.running) > 0 || len(r.lookups) > 0 || r.left() > 0 && !passed(r.end)
}

// left is how many addresses have not been tried.
func (r *race) left() int { return len(r.untried[inet6]) + len(r.untried[inet4]) }

const never = int64(^uint64(0) >> 1)

// nextAt is when the next attempt may begin, as things stand.
func (r *race) nextAt() int64 {
	switch {
	case r.left() == 0 || passed(r.end):
		return never // unless a look-up or an attempt says otherwise
	case r.begun == 0 && len(r.untried[inet6]) == 0 && len(r.lookups) > 0:
		return r.settle
	case len(r.running) == 0:
		return 0
	case r.d.FallbackDelay < 0:
		return never
	}
	return r.next
}

// look starts the look-up of the addresses of one family.
func (r *race) look(f family) {
	network := [...]string{inet6: "tcp6", inet4: "tcp4"}[f]
	var addrs []netip.Addr
	var err error
	var t *loop.Task
	t = r.l.GoThen(func() {
		err = r.l.Offload(func(ctx context.Context) error {
			ctx, cancel := until(ctx, r.end)
			defer cancel()
			var err error
			addrs, err = lookupHost(ctx, r.d.Resolver, network, r.host)
			return err
		})
	}, func(end error) {
		if end != nil {
			err = end // the resolver panicked, or ended its goroutine
		}
		if errors.Is(err, context.Canceled) && passed(r.end) {
			err = lateName(r.host)
		}
		r.lookups = slices.DeleteFunc(r.lookups, func(o *loop.Task) bool { return o == t })
		r.found(f, addrs, err)
	})
	r.lookups = append(r.lookups, t)
}

// giveUpLooking ends the look-ups.
func (r *race) giveUpLooking() {
	for _, t := range r.lookups {
		t.Cancel()
	}
}

// found takes in what a look-up brought.
func (r *race) found(f family, addrs []netip.Addr, err error) {
	if err != nil {
		r.lookup = telling(r.lookup, err)
		addrs = nil
	}
	for _, a := range addrs {
		r.untried[f] = append(r.untried[f], netip.AddrPortFrom(a, r.port))
	}
	if f == inet4 && len(r.lookups) > 0 {
		r.settle = r.l.After(resolutionDelay)
	}
	r.poke()
}

// pick takes the next address: the families take turns, IPv6 first.
func (r *race) pick() netip.AddrPort {
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
func (r *race) room() bool {
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
func (r *race) begin() {
	end := r.end
	if r.d.FallbackDelay < 0 {
		end = share(end, r.left())
	}
	ap, a := r.pick(), new(attempt)
	r.begun++
	r.next = r.l.After(r.delay())
	r.running = append(r.running, a)
	var c *Conn
	var err error
	a.task = r.l.GoThen(func() {
		c, err = r.d.connect(r.l, r.network, r.local, ap, end)
		if err == nil && (r.won != nil || r.over) {
			c.Close() // another was faster
			c = nil
		} else if err == nil {
			r.won = c
		}
	}, func(end error) {
		switch {
		case end != nil: // Control panicked, or ended the task
			err = dialError(r.network, tcpAddr(ap), end)
		case err != nil && a.gaveWay:
			err = dialError(r.network, tcpAddr(ap), errSlow)
		}
		r.running = slices.DeleteFunc(r.running, func(o *attempt) bool { return o == a })
		if err != nil {
			r.errs.add(err)
			r.next = 0
		}
		r.poke()
	})
}

// delay is the head start of the attempt that begins.
func (r *race) delay() time.Duration {
	d := r.d.FallbackDelay
	if d == 0 {
		d = fallbackDelay
	}
	if !r.end.IsZero() {
		d = min(d, max(time.Until(r.end)/time.Duration(r.left()+1), fallbackMin))
	}
	return d
}

// share is the deadline for the next of so many addresses that are tried one after
// the other: an equal part of the time that is left, but two seconds if there are as
// many, so that one address that swallows everything does not keep the others from
// being tried.
func share(end time.Time, addrs int) time.Time {
	if end.IsZero() {
		return end
	}
	left := time.Until(end)
	part := max(left/time.Duration(addrs), min(left, 2*time.Second))
	return end.Add(part - left)
}

// wait parks until something has happened, or until a time of NowNS.
func (r *race) wait(at int64) {
	if len(r.lookups) > 0 && !r.end.IsZero() && !passed(r.end) {
		at = min(at, r.l.At(r.end))
	}
	if at != never {
		r.l.Arm(&r.timer, at)
	}
	r.waits = true
	r.l.Park((*raceWait)(r))
	r.waits = false
	r.l.Disarm(&r.timer)
}

// poke ends a wait.
func (r *race) poke() {
	if r.waits {
		r.waits = false
		r.l.Ready(r.task)
	}
}

// raceWait is the race as what its caller waits for.
type raceWait race

// CancelWait lets the cancelled caller see to the others.
func (w *raceWait) CancelWait(*loop.Task) { (*race)(w).poke() }

// raceAlarm is the race as the owner of its timer.
type raceAlarm race

// Fire says that the next attempt may begin.
func (a *raceAlarm) Fire(*timer.Timer) { (*race)(a).poke() }

// finish ends what still runs, and waits for it: the losers close their sockets.
func (r *race) finish() {
	r.over = true
	r.l.RemoveTimer(&r.timer)
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
