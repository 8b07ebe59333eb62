package sim

import (
	"errors"
	"fmt"
	"math"
	"time"

	"ringo/internal/sim/world"
)

// mistakes collects errors in a script's settings.
type mistakes []error

func (m *mistakes) add(format string, args ...any) { *m = append(*m, fmt.Errorf(format, args...)) }

// part requires a fraction: from 0 to 1.
func (m *mistakes) part(name string, p float64) {
	if !(p >= 0 && p <= 1) {
		m.add("%s is %v, and not from 0 to 1", name, p)
	}
}

// span requires a duration that is not negative.
func (m *mistakes) span(name string, d time.Duration) {
	if d < 0 {
		m.add("%s is %v, and less than 0", name, d)
	}
}

// number requires a number that is not negative.
func (m *mistakes) number(name string, n int64) {
	if n < 0 {
		m.add("%s is %d, and less than 0", name, n)
	}
}

func (l Link) check() error {
	var m mistakes
	m.span("Link.Latency", l.Latency)
	m.span("Link.Jitter", l.Jitter)
	m.number("Link.Bandwidth", l.Bandwidth)
	m.part("Link.Loss", l.Loss)
	m.part("Link.Duplicate", l.Duplicate)
	m.part("Link.Reorder", l.Reorder)
	m.part("Link.Split", l.Split)
	m.number("Link.MTU", int64(l.MTU))
	return errors.Join(m...)
}

func (s Storm) check() error {
	var m mistakes
	m.span("Storm.Crash", s.Crash)
	m.span("Storm.Down", s.Down)
	m.part("Storm.MidTurn", s.MidTurn)
	m.span("Storm.Partition", s.Partition)
	m.span("Storm.Cut", s.Cut)
	m.span("Storm.Pause", s.Pause)
	m.span("Storm.Still", s.Still)
	m.span("Storm.Reset", s.Reset)
	m.span("Storm.Clock", s.Clock)
	m.span("Storm.Step", s.Step)
	return errors.Join(m...)
}

// settings are what a script sets for a host.
type settings struct {
	disk  Disk
	calls Calls
	names Names
}

func (s *settings) check() error {
	var m mistakes
	m.span("Disk.Latency", s.disk.Latency)
	m.span("Disk.Sync", s.disk.Sync)
	m.span("Disk.Jitter", s.disk.Jitter)
	m.number("Disk.Capacity", s.disk.Capacity)
	m.number("Disk.Quota", s.disk.Quota)
	m.part("Disk.FailRead", s.disk.FailRead)
	m.part("Disk.FailWrite", s.disk.FailWrite)
	m.part("Disk.FailSync", s.disk.FailSync)
	m.part("Disk.Short", s.disk.Short)
	m.part("Disk.Decay", s.disk.Decay)
	m.part("Calls.ShortSend", s.calls.ShortSend)
	m.part("Calls.Shortage", s.calls.Shortage)
	m.span("Names.Latency", s.names.Latency)
	m.part("Names.Fail", s.names.Fail)
	m.part("Names.Wrong", s.names.Wrong)
	return errors.Join(m...)
}

// checks fails the world if the host's settings are wrong. It runs when they are used, because they are set as
// variables.
func (h *Host) checks() {
	if h.Disk == h.right.disk && h.Calls == h.right.calls && h.Names == h.right.names {
		return
	}
	h.right = settings{h.Disk, h.Calls, h.Names}
	if err := h.right.check(); err != nil {
		h.w.fail(fmt.Sprintf("the host %s is misconfigured: %v", h.name, err))
	}
}

// checkLink is checks for World.Link.
func (w *World) checkLink() {
	if w.Link == w.rightLink {
		return
	}
	w.rightLink = w.Link
	if err := w.Link.check(); err != nil {
		w.fail(fmt.Sprintf("World.Link is invalid: %v", err))
	}
}

// wantRight panics if an argument of a call is wrong.
func wantRight(call string, err error) {
	if err != nil {
		panic(fmt.Sprintf("sim: %s: %v", call, err))
	}
}

// wantFunc panics if a call was given a nil function.
func wantFunc(ok bool, call string) {
	if !ok {
		panic("sim: " + call + ": the function is nil")
	}
}

// wantOwn panics if a call was given a nil host, or a host of another world.
func (w *World) wantOwn(call string, hosts ...*Host) {
	for _, h := range hosts {
		switch {
		case h == nil:
			panic("sim: " + call + ": a host or program is nil")
		case h.w != w:
			panic(fmt.Sprintf("sim: %s: the host %q is of another world", call, h.name))
		}
	}
}

// sum adds two durations, and returns the greatest or least one on overflow.
func sum(a, b time.Duration) time.Duration {
	if a < 0 && b < math.MinInt64-a {
		return math.MinInt64
	}
	if a < 0 {
		a, b = b, a
	}
	return time.Duration(world.Sum(int64(a), int64(b)))
}
