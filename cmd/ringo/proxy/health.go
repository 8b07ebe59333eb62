package proxy

import (
	"context"
	"errors"
	"slices"
	"time"

	"ringo"
	"ringo/internal/posix"
)

// evidence is the source of a result that counts for or against an upstream.
type evidence int

const (
	byConn  evidence = iota // a connection for a client
	byCheck                 // a check of -check
)

func (e evidence) String() string { return [...]string{"connections", "checks"}[e] }

// health is the state of an upstream: in or out. One that is out gets no connections until it is in again; without
// -check it gets one connection at a time as a trial, at growing intervals, with -check it has to pass checks. All
// fields are guarded by upstreams.mu.
type health struct {
	out    bool
	failed [2]int // failures in a row while it is in, by evidence
	passed int    // checks passed in a row while it is out
	pause  time.Duration
	until  time.Time // the next trial must not begin before
	trial  time.Time // a trial is under way, and counts until then; zero: none
}

// pauseGrowth bounds the pause between two trials, as a multiple of -out.
const pauseGrowth = 64

// isDue reports whether a connection may try an upstream that is out: there is no -check, its pause is over, and no
// other trial is under way.
func (us *upstreams) isDue(u *upstream) bool {
	return us.check == 0 && !us.now().Before(u.trial) && !us.now().Before(u.until)
}

// note records the result of a connection to u, or of a check of it; err is nil for success. It moves u out after -fall
// failures in a row of one kind, and in again after -rise checks in a row that succeeded or, without -check, after one
// connection that did. An error that saysNothing about u only ends its trial.
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

// leaveOut moves an upstream out and reports that. The caller holds mu.
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

// takeIn moves an upstream in again and reports that. The caller holds mu.
func (us *upstreams) takeIn(u *upstream) {
	u.health = health{}
	us.outs--
	us.say("upstream %v is in again", u)
}

// saysNothing reports whether an error comes from this process or machine, so that it is no evidence about an upstream.
func saysNothing(err error) bool {
	for _, ours := range []error{context.Canceled, ringo.ErrEnded, posix.EMFILE, posix.ENFILE, posix.EADDRNOTAVAIL} {
		if errors.Is(err, ours) {
			return true
		}
	}
	return isOurs(err)
}
