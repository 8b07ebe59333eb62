//go:build linux

package uring

import (
	"cmp"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"runtime"
	"slices"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"ringo/internal/driver"
	"ringo/internal/op"
	"ringo/internal/race"
	"ringo/internal/sys"
	"ringo/internal/test/testmain"
	"ringo/internal/test/uringtest"
)

var (
	scripts = flag.Uint64("scripts", 0, "how many random programs TestScripts runs; 0: 600, with -long 5000")
	seed    = flag.Int64("seed", -1, "run only this one, and say what it does")
)

// telling are seeds that alone of some thousand find a mistake which internal/driver/testdata/mutants plants.
var telling = []uint64{3453}

// TestScripts runs random programs on a kernel that does all that a kernel may.
// Program and kernel follow a seed, which a failure names.
func TestScripts(t *testing.T) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if *seed >= 0 {
		runScript(t, uint64(*seed), program(uint64(*seed)), true)
		return
	}
	n := *scripts
	if n == 0 {
		n = usualScripts()
	}
	var total [uringtest.Points]int
	run := func(s uint64) {
		counts := runScript(t, s, program(s), false)
		for p := range total {
			total[p] += counts[p]
		}
	}
	for _, s := range telling {
		run(s)
	}
	for s := range n {
		run(s)
	}
	for p, count := range total {
		if n >= 500 && count == 0 && uringtest.Point(p) != uringtest.GiveUp { // of which TestScriptRowsDone is
			t.Errorf("of %d scripts none has %v", n, uringtest.Point(p))
		}
	}
}

func usualScripts() uint64 {
	switch {
	case race.Enabled:
		return 500
	case testmain.Long():
		return 5000
	}
	return 600
}

// FuzzScript looks for a program that the driver does not survive.
func FuzzScript(f *testing.F) {
	for s := range uint64(16) {
		f.Add(s, program(s))
	}
	f.Fuzz(func(t *testing.T, seed uint64, steps []byte) {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		runScript(t, seed, steps[:min(len(steps), 4000)], false)
	})
}

// program is the program of a seed.
func program(seed uint64) []byte {
	rng := rand.New(rand.NewPCG(seed, 0x9e09))
	steps := make([]byte, 40+rng.IntN(300))
	for i := range steps {
		steps[i] = byte(rng.Uint32())
	}
	return steps
}

// player runs a program.
type player struct {
	*world
	steps []byte
	loud  bool
}

// runScript runs a program on the kernel of a seed and gives what the kernel did.
func runScript(t testing.TB, seed uint64, steps []byte, loud bool) [uringtest.Points]int {
	rng := rand.New(rand.NewPCG(seed, 0x3e77))
	s := setting{
		entries: []int{2, 2, 4, 8, 64}[rng.IntN(5)],
		buffers: 1 + rng.IntN(12),
		start:   []uint32{0, 1<<32 - 5, 1<<31 - 3}[rng.IntN(3)],
		script:  uringtest.Random(seed),
	}
	for _, name := range []string{"ext_arg", "ring_fd", "defer_taskrun", "buf_ring", "cqsize", "no_sqarray",
		"submit_all", "single_issuer",
		"taskrun_flag", "multishot_accept", "multishot_recv", "multishot_poll", "op:accept", "op:recv", "op:connect",
		"op:socket", "op:send_zc", "cqe_skip", "silent_send"} {
		if rng.IntN(12) == 0 {
			s.without = append(s.without, name)
		}
	}
	p := &player{world: newWorld(t, fmt.Sprintf("seed %d", seed), s), steps: steps, loud: loud}
	p.held = make([]lease, 0, rng.IntN(s.buffers+1))
	p.say("%+v", s)
	for range 1 + rng.IntN(3) {
		if rng.IntN(5) > 0 {
			p.stream()
		} else {
			p.tcpStream()
		}
	}
	for len(p.steps) > 0 {
		p.step(p.streams[p.n(len(p.streams))])
		if p.n(3) == 0 {
			p.wait(driver.Poll)
		}
	}
	p.end(rng)
	return p.k.Counts()
}

func (p *player) say(format string, args ...any) {
	if p.loud {
		p.Logf(format, args...)
	}
}

// n takes a number below a bound from the program.
func (p *player) n(below int) int {
	if len(p.steps) == 0 {
		return 0
	}
	b := int(p.steps[0])
	p.steps = p.steps[1:]
	return b % below
}

func (p *player) step(s *stream) {
	what := p.n(36)
	if s.Sys() < 0 {
		s = p.streams[len(p.streams)-1] // which replace has made
	}
	p.say("at %v: step %d on stream %d; %d under way", time.Duration(p.clock.Now()), what, s.id, len(p.calls))
	if len(p.calls) > 200 {
		what = 27
	}
	switch what {
	case 0, 1, 2, 3, 4, 5, 6, 7:
		p.streamOp(s, what)
	case 8, 9, 10, 11, 12, 13, 14:
		p.peerStep(s, what)
	case 15:
		p.poll(s, []uint32{unix.POLLIN, unix.POLLOUT}[p.n(2)], []op.Flags{0, op.Multishot}[p.n(2)])
	case 16, 17, 18:
		p.cancelOne()
	case 19:
		for range p.n(3 * p.d.r.SQEntries()) {
			p.nop()
		}
	case 20:
		p.timeout(time.Duration(p.n(50)) * 100 * time.Microsecond)
	case 21:
		p.accept([]op.Flags{0, op.Multishot, op.Keep, op.Multishot | op.Keep}[p.n(4)])
	case 22:
		p.listen().dial()
	case 23:
		p.connect()
	case 24:
		if p.n(3) == 0 {
			p.readFile(p.n(100), int64(p.n(256)))
		} else {
			p.fileOp()
		}
	case 25:
		p.wait(driver.Poll)
	case 26, 27, 28:
		p.sleep(time.Duration(p.n(30)) * 50 * time.Microsecond)
	case 29:
		p.wake()
	case 30:
		p.giveBack()
	case 31:
		p.replace(s)
	case 32, 33, 34, 35:
		p.leaveSome()
	}
}

// leaveSome puts a send for some of the streams into the outbox.
func (p *player) leaveSome() {
	for _, s := range p.streams {
		if p.n(3) > 0 && s.Sys() >= 0 && !p.sends(s) {
			p.leave(s, []int{0, 1, 40, 300, 6000}[p.n(5)]+p.n(20))
		}
	}
}

// fileOp is any op of a file or a name that goes to the kernel.
func (p *player) fileOp() {
	rows := slices.Sorted(maps.Keys(fileRows))
	c := fileRows[rows[p.n(len(rows))]](p.world)
	switch c.o.Code {
	case op.WriteAt:
		c.o.Flags = []op.Flags{0, op.Full}[p.n(2)]
	case op.Openat2:
		c.o.Flags = []op.Flags{0, op.Keep}[p.n(2)]
	}
	p.submit(c)
}

func (p *player) streamOp(s *stream, what int) {
	if s.calls >= 8 || s.Sys() < 0 {
		return
	}
	size := 1 + p.n(100)
	if what >= 5 && slices.Contains(p.leaving, s) {
		return
	}
	switch what {
	case 0:
		p.recv(s, size)
	case 1:
		p.recvSelect(s, 0)
	case 2:
		p.recvSelect(s, op.Multishot)
	case 3:
		p.recvmsg(s, 1+size)
	case 4:
		p.read(s, size)
	case 5:
		p.send(s, []op.Code{op.Send, op.SendZC}[p.n(2)], size*100, op.Full)
	case 6:
		p.send(s, []op.Code{op.Send, op.Sendmsg, op.Write, op.SendZC}[p.n(4)], 3*size, 0)
	case 7:
		p.send(s, op.Write, size*100, op.Full)
	}
}

func (p *player) peerStep(s *stream, what int) {
	switch what {
	case 8, 9, 10:
		s.feed(1 + p.n(200))
	case 11:
		s.feed(1500)
	case 12, 13:
		s.drain(1 + p.n(256)*32)
	case 14:
		switch p.n(8) {
		case 0:
			s.ended = true
			unix.Shutdown(s.peer, unix.SHUT_WR)
		case 1:
			if s.fed == s.eaten { // or a reset would take bytes away
				s.ended, s.broken = true, true
				unix.Close(s.peer)
				s.peer = -1
			}
		}
	}
}

// cancelOne cancels one op, any of those under way.
func (p *player) cancelOne() {
	if len(p.calls) == 0 {
		return
	}
	p.cancelIt(p.inOrder()[p.n(len(p.calls))])
}

func (p *player) cancelIt(c *call) {
	if c.canceled {
		return
	}
	p.say("cancel %s", c)
	if c.o.Code == op.Accept && c.o.Flags&op.Keep == 0 {
		p.listener.lossy = true
	}
	p.cancel(c)
}

// inOrder gives what is under way in an order that does not change from run to
// run.
func (p *player) inOrder() []*call {
	return slices.SortedFunc(maps.Values(p.calls), func(a, b *call) int {
		return cmp.Compare(uint32(a.token), uint32(b.token))
	})
}

// sleep waits for a time, in which something may happen.
func (p *player) sleep(d time.Duration) {
	woken := int64(-1)
	switch p.n(4) {
	case 0:
		p.meantime = func() {
			woken = p.clock.Now()
			p.wake()
		}
	case 1:
		s := p.streams[p.n(len(p.streams))]
		p.meantime = func() { s.feed(20) }
	}
	p.wait(p.soon(d))
	if woken >= 0 && p.clock.Now() != woken {
		p.fail("a Wake did not end the Wait that it came in: that took %v more", time.Duration(p.clock.Now()-woken))
	}
}

// replace closes a stream that nobody uses, so that its number is given to another.
func (p *player) replace(s *stream) {
	if s.calls > 0 || s.Sys() < 0 || s.Busy() || slices.Contains(p.leaving, s) {
		return
	}
	p.closeFD(&s.FD)
	p.wait(driver.Poll)
	p.stream()
}

// end brings the program to an end: all that can complete completes, or all is
// cancelled, or the driver is closed as it is.
func (p *player) end(rng *rand.Rand) {
	if rng.IntN(3) > 0 {
		p.k.SetScript(nil)
	}
	switch rng.IntN(3) {
	case 0:
		p.satisfy()
	case 1:
		for _, c := range p.inOrder() {
			p.cancelIt(c)
		}
		p.until("the end of what was cancelled", func() bool { return len(p.calls) == 0 })
	}
	if l := p.listener; l != nil {
		l.lossy = true // Close cancels
	}
	if p.out.Len() > 0 {
		p.wait(driver.Poll)
	}
	p.say("close with %d under way", len(p.calls))
	p.close()
}

// satisfy has peers do their part until nothing more comes of it. What then still
// waits must have a reason to.
func (p *player) satisfy() {
	p.k.SetScript(nil)
	for idle := 0; idle < 2; idle++ {
		for _, s := range p.streams {
			s.drain(1 << 16)
		}
		p.giveBack()
		if p.wait(p.soon(time.Second)) {
			idle = -1
		}
	}
	for _, c := range p.inOrder() {
		if c.ended {
			continue
		}
		mask := c.o.Interest()
		if mask == 0 || c.o.FD == nil {
			p.fail("%s has not completed, and there was nothing to wait for", c)
		}
		if c.o.Code == op.Poll && c.o.Flags&op.Multishot != 0 || c.got > 0 && c.o.Code == op.Poll {
			continue // it tells of changes
		}
		fds := []sys.PollFd{{Fd: c.o.FD.Sys(), Events: int16(mask)}}
		for try := 0; !c.ended && c.o.State == op.InFlight; try++ { // and not behind another on its stream
			if sys.PpollNow(fds) <= 0 {
				break
			}
			// A byte of TCP can be there a moment before those who wait are told.
			if p.wait(driver.Poll); try == 1000 {
				p.fail("%s waits, and its descriptor is ready for %#x", c, fds[0].Revents)
			}
		}
	}
}
