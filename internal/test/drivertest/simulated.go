//go:build linux

package drivertest

import (
	"encoding/binary"
	"fmt"
	"math"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"ringo/internal/driver"
	"ringo/internal/op"
	"ringo/internal/sim/memkernel"
	"ringo/internal/sim/world"
	"ringo/internal/sys"
	"ringo/internal/test/linux"
)

// OpenSimulated opens the driver under test on a simulated machine: on the seat's host, by the clock of its world.
type OpenSimulated func(t *testing.T, cfg driver.Config, s *Seat) driver.Driver

// RunSimulated is Run on simulated machines. excused maps the names of the cases that are not run to what a simulated
// machine rightly lacks for each.
func RunSimulated(t *testing.T, open OpenSimulated, excused map[string]string) {
	runAll(t, onSimulated(open, excused))
}

// ProgramSimulated is Program on two drivers: one of the system, and one on a simulated machine.
func ProgramSimulated(t *testing.T, seed uint64, open Open, simulated OpenSimulated) {
	t.Helper()
	compare(t, script(seed), onSystem(open, 64), onSimulated(simulated, nil))
}

// onSimulated returns the ground of drivers on simulated machines.
func onSimulated(open OpenSimulated, excused map[string]string) ground {
	return ground{entries: 64, excused: excused, machine: func(t *testing.T) machine { return newSimulated(t) },
		open: func(t *testing.T, m machine, cfg driver.Config) driver.Driver {
			return open(t, cfg, m.(*simulated).seat())
		}}
}

// simulated is a machine in memory, on a network of its own. What runs beside the case is an actor of its world.
type simulated struct {
	*memkernel.Host
	t     *testing.T
	w     *world.World
	first int32        // the lowest number that its descriptors have
	actor *world.Actor // the actor that runs now; nil: the case itself
	made  int          // counts folders, for their names
	slept int          // counts the sleeps of drivers
}

var _ machine = (*simulated)(nil)

func newSimulated(t *testing.T) *simulated {
	w := NewWorld(t)
	m := &simulated{t: t, w: w, Host: memkernel.NewNetwork(w).Host("here")}
	a, b, _ := m.Pipe(0)
	m.Close(a)
	m.Close(b)
	m.first = a
	return m
}

// Seat is the place where a driver runs on a simulated machine: in the case, or in an actor beside it. Through it the
// driver lets the rest of the world run.
type Seat struct {
	m      *simulated
	actor  *world.Actor // nil: the case itself
	roused bool
}

func (m *simulated) seat() *Seat { return &Seat{m: m, actor: m.actor} }

// Host returns the driver's kernel.
func (s *Seat) Host() *memkernel.Host { return s.m.Host }

// World returns the world, which has the driver's clock.
func (s *Seat) World() *world.World { return s.m.w }

// Pause ends a turn of a loop that has more to do.
func (s *Seat) Pause() { s.m.pass() }

// Sleep ends a turn of a loop that has nothing to do, until the given time or until Rouse is called.
func (s *Seat) Sleep(until int64) {
	if s.m.slept++; s.actor != nil {
		s.actor.Sleep(until)
		return
	}
	if s.m.actor != nil {
		panic("drivertest: a driver of the case sleeps beside it")
	}
	limit := until
	if until == driver.Forever {
		limit = s.m.w.Now() + int64(longest(s.m))
	}
	for s.roused = false; !s.roused; {
		if !s.m.w.Step(limit) {
			break
		}
	}
	switch {
	case s.roused:
	case until == driver.Forever:
		s.m.t.Helper()
		s.m.t.Fatalf("the driver sleeps without end, and nothing rouses it")
	default:
		s.m.w.MoveTo(until)
	}
}

// Rouse ends a Sleep.
func (s *Seat) Rouse() {
	if s.roused = true; s.actor != nil {
		s.actor.Rouse()
	}
}

// Killed reports whether the host has crashed; this one never does.
func (s *Seat) Killed() bool { return false }

func (m *simulated) now() int64    { return clockStart + m.w.Now() }
func (m *simulated) virtual() bool { return true }
func (m *simulated) pin()          {}

func (m *simulated) pass() { m.spend(time.Duration(1+m.w.Rand().IntN(5)) * time.Microsecond) }

func (m *simulated) spend(d time.Duration) {
	until := m.w.Now() + int64(d)
	if m.actor != nil {
		m.actor.Sleep(until)
		return
	}
	for m.w.Step(until) {
	}
	m.w.MoveTo(until)
}

func (m *simulated) beside(f func()) (join func()) {
	turns := &turnsBeside{m: m}
	turns.a = m.w.Go(func(*world.Actor) {
		defer turns.Ends() // f may end by t.Fatal
		f()
	}, turns)
	a := turns.a
	return func() {
		m.awaits("the end of what runs beside the case", a.Ended)
	}
}

// turnsBeside notes on the machine when an actor beside the case runs.
type turnsBeside struct {
	m *simulated
	a *world.Actor
}

func (b *turnsBeside) Begins(bool) bool { b.m.actor = b.a; return true }
func (b *turnsBeside) Ends()            { b.m.actor = nil }

// idles checks that each wait sleeps exactly once. Unlike on the system it measures no cost: by this clock turns are
// free.
func (m *simulated) idles(wait func(), span time.Duration) string {
	for range 4 {
		before := m.slept
		wait()
		if n := m.slept - before; n != 1 {
			return fmt.Sprintf("a Wait of %v slept %d times, want once", span, n)
		}
	}
	return ""
}

func (m *simulated) call(o *op.Op) int32 { return m.Attempt(o) }

func (m *simulated) read(fd int32, p []byte) int32 {
	return m.Attempt(opOn(op.Read, fd, func(o *op.Op) { o.Buf = p }))
}

func (m *simulated) write(fd int32, p []byte) int32 {
	return m.Attempt(opOn(op.Write, fd, func(o *op.Op) { o.Buf = p }))
}

func (m *simulated) accept(fd int32) int32 { return m.Attempt(opOn(op.Accept, fd, nil)) }

func (m *simulated) send(fd int32, p []byte, flags uint32) int32 {
	return m.Attempt(opOn(op.Send, fd, func(o *op.Op) { o.Buf, o.CallFlags = p, flags }))
}

func (m *simulated) sendmsg(fd int32, p, control []byte) int32 {
	return m.Attempt(opOn(op.Sendmsg, fd, func(o *op.Op) {
		o.Ext = &op.Ext{Control: control}
		o.Ext.SetVector([][]byte{p})
	}))
}

func (m *simulated) recvmsg(fd int32, p, control []byte) (n, controls int32) {
	x := &op.Ext{Control: control}
	x.SetVector([][]byte{p})
	n = m.Attempt(opOn(op.Recvmsg, fd, func(o *op.Op) { o.Ext = x }))
	return n, int32(len(x.Received()))
}

// block does nothing: on this machine nothing blocks except through await.
func (m *simulated) block(int32) int32 { return 0 }

func (m *simulated) awaitRead(fd int32, p []byte) int32 {
	return m.await(func() int32 { return m.read(fd, p) })
}

func (m *simulated) awaitWrite(fd int32, p []byte) int32 {
	return m.await(func() int32 { return m.write(fd, p) })
}

func (m *simulated) await(try func() int32) (res int32) {
	m.awaits("bytes, or room for them", func() bool {
		res = try()
		return res != -sys.EAGAIN
	})
	return res
}

// awaits lets time pass until come returns true.
func (m *simulated) awaits(what string, come func() bool) {
	m.t.Helper()
	for limit := m.now() + int64(longest(m)); !come(); m.pass() {
		if m.now() > limit {
			m.t.Fatalf("drivertest: not within %v: %s", longest(m), what)
		}
	}
}

func (m *simulated) awaitReady(fd int32, mask uint32, d time.Duration) int32 {
	for limit := m.now() + int64(d); m.now() < limit; m.pass() {
		if ready := m.Ready(fd) & (mask | sys.PollErr | sys.PollHup | sys.PollNval); ready != 0 {
			return int32(ready)
		}
	}
	return 0
}

func (m *simulated) eventfd() int32 { return m.Eventfd() }

func (m *simulated) blockingPipe() (r, w, res int32) {
	if r, w, res = m.Pipe(0); res >= 0 {
		m.Setfl(r, 0)
		m.Setfl(w, 0)
	}
	return r, w, res
}

// move is not supported. A case calls it only if the number it needs is taken, and this kernel always hands out the
// lowest one.
func (m *simulated) move(int32, int32) int32 { return -sys.EOPNOTSUPP }

func (m *simulated) inherited(fd int32) bool { return m.Inherited(fd) }

func (m *simulated) identity(fd int32) (ino uint64, res int32) {
	var st sys.Statx
	res = m.Statx(fd, nulled(""), sys.AtEmptyPath, sys.StatxAll, &st)
	return st.Ino, res
}

func (m *simulated) exhaust() (restore func(), res int32) {
	next, _, res := m.Pipe(0)
	if res < 0 {
		return nil, res
	}
	m.Close(next)
	m.Close(next + 1)
	m.SetDescriptors(int(next - m.first))
	return func() { m.SetDescriptors(math.MaxInt32) }, 0
}

func (m *simulated) descriptors() int { return math.MaxInt32 }

func (m *simulated) opened(*testing.T) map[string]bool {
	all := map[string]bool{}
	for n, left := m.first, m.Open(); left > 0; n++ {
		if m.Getfl(n) >= 0 {
			all[fmt.Sprint(n)] = true
			left--
		}
	}
	return all
}

func (m *simulated) folder(t *testing.T) string {
	t.Helper()
	m.made++
	name := fmt.Sprintf("/tmp/%d", m.made)
	if res := m.name(op.Mkdirat, name, ""); res < 0 {
		t.Fatalf("mkdir %s: %s", name, show(res))
	}
	return name
}

func (m *simulated) socketName(t *testing.T) string { return m.folder(t) + "/socket" }

// name runs an op on a name as a plain call.
func (m *simulated) name(code op.Code, name, to string) int32 {
	n := &op.Name{Path: nulled(name), To: nulled(to), How: sys.OpenHow{Mode: 0o700}}
	return m.Attempt(&op.Op{Code: code, Ext: &op.Ext{Name: n}})
}

func (m *simulated) open(name string, flags int, mode uint32) int32 {
	return m.Openat2(sys.AtFdcwd, nulled(name), &sys.OpenHow{Flags: uint64(flags) | sys.OCloexec, Mode: uint64(mode)})
}

func (m *simulated) symlink(to, name string) int32 { return m.name(op.Symlinkat, name, to) }

func (m *simulated) fifo(name string) int32 {
	return m.Mknodat(sys.AtFdcwd, nulled(name), linux.S_IFIFO|0o600, 0)
}

func (m *simulated) remove(name string) int32 { return m.Unlinkat(sys.AtFdcwd, nulled(name), 0) }

func (m *simulated) mode(name string) (mode uint32, res int32) {
	var st sys.Statx
	res = m.Statx(sys.AtFdcwd, nulled(name), 0, sys.StatxAll, &st)
	return uint32(st.Mode), res
}

func (m *simulated) leads(name string) (to string, res int32) {
	b := make([]byte, 100)
	if res = m.Readlinkat(sys.AtFdcwd, nulled(name), b); res < 0 {
		return "", res
	}
	return string(b[:res]), 0
}

func (m *simulated) names(name string) (all []string, res int32) {
	n := m.open(name, os.O_RDONLY|sys.ODirectory, 0)
	if n < 0 {
		return nil, n
	}
	defer m.Close(n)
	b := make([]byte, 4096)
	if res = m.Getdents(n, b); res < 0 {
		return nil, res
	}
	for b = b[:res]; len(b) > 0; b = b[binary.NativeEndian.Uint16(b[16:]):] {
		name, _, _ := strings.Cut(string(b[19:]), "\x00")
		if name != "." && name != ".." {
			all = append(all, name)
		}
	}
	slices.Sort(all)
	return all, 0
}

func (m *simulated) content(fd int32) (text string, res int32) {
	var all []byte
	for b := make([]byte, 1<<16); ; {
		n := m.Attempt(opOn(op.ReadAt, fd, func(o *op.Op) { o.Buf, o.Off = b, int64(len(all)) }))
		if n <= 0 {
			return string(all), n
		}
		all = append(all, b[:n]...)
	}
}

// found: on a disk that takes time, every read takes time.
func (m *simulated) found(int32) bool { return m.Disk == nil }
