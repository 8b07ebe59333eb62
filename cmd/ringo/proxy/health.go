package proxy

import (
	"context"
	"errors"
	"slices"
	"time"

	"ringo"
	"ringo/internal/posix"
)

// What tells of an upstream.
type evidence int

const (
	byConn  evidence = iota // a connection for a client
	byCheck                 // one of -check
)

func (e evidence) String() string { return [...]string{"connections", "checks"}[e] }

// health is what is known of an upstream. It is in, or out: then it gets no connection, but for a trial of one when it
// has been out for a while or, with -check, before checks have brought it in again. All by upstreams.mu.
type health struct {
	out    bool
	failed [2]int // in a row, by evidence, while it is in
	passed int    // checks in a row, while it is out
	pause  time.Duration
	until  time.Time // it is out without a trial
	trial  time.Time // a connection is under way that tries it, until then
}

// pauseGrowth is how many times -out the longest pause between two trials is.
const pauseGrowth = 64

// isDue reports whether an upstream that is out is to be tried.
func (us *upstreams) isDue(u *upstream) bool {
	return us.check == 0 && !us.now().Before(u.trial) && !us.now().Before(u.until)
}

// note notes what came of a connection or a check.
func (us *upstreams) note(u *upstream, by evidence, err error) {
	us.mu.Lock()
	defer us.mu.Unlock()
	defer us.serve() // another may be in, or all out
	if by == byConn {
		u.trial = time.Time{}
	}
	switch {
	case saysNothing(err):
	case !u.out && err == nil:
		u.failed[by] = 0
	case !u.out:
		if u.failed[by]++; u.failed[by] >= us.fall {
			us.leaveOut(u, by, err)
		}
	case by == byConn && us.check > 0: // -rise counts checks
	case err == nil:
		if u.passed++; u.passed >= us.rise || by == byConn {
			us.takeIn(u)
		}
	case us.now().Before(u.until): // another than the trial
	default:
		u.passed = 0
		u.pause = min(2*u.pause, pauseGrowth*us.pause)
		u.until = us.now().Add(u.pause)
	}
}

// leaveOut has an upstream be out. mu is held.
func (us *upstreams) leaveOut(u *upstream, by evidence, err error) {
	u.health = health{out: true, pause: us.pause, until: us.now().Add(us.pause)}
	us.outs++
	us.say("upstream %v is out: %d %v in a row have failed, the last: %v", u, us.fall, by, err)
	isIn := func(backup bool) bool {
		return slices.ContainsFunc(us.all, func(u *upstream) bool { return u.backup == backup && !u.out })
	}
	switch {
	case us.outs == len(us.all):
		us.say("all upstreams%s are out: connections go to any of them", us.route.words(" of "))
	case !u.backup && !isIn(false) && isIn(true):
		us.say("all upstreams%s but backups are out: connections go to these", us.route.words(" of "))
	}
}

// takeIn has it be in. mu is held.
func (us *upstreams) takeIn(u *upstream) {
	u.health = health{}
	us.outs--
	us.say("upstream %v is in again", u)
}

// saysNothing reports whether an error is of this process or machine, which says nothing of an upstream.
func saysNothing(err error) bool {
	for _, ours := range []error{context.Canceled, ringo.ErrEnded, posix.EMFILE, posix.ENFILE, posix.EADDRNOTAVAIL} {
		if errors.Is(err, ours) {
			return true
		}
	}
	return isOurs(err)
}
