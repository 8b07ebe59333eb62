package drivertest

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"ringo/internal/sys"
)

// A program is a script of random steps on a few streams: ops on the driver's end, and actions of the peers. The driver
// settles after each step, so that the results do not depend on timing and every driver must produce the same ones.
var programCases = func() (cases []testCase) {
	for seed := range uint64(4) {
		cases = append(cases, testCase{name: fmt.Sprintf("seed %d", seed), size: 64, buffers: 32,
			run: func(h *harness) {
				h.runProgram(script(seed))
			}})
	}
	return cases
}()

// Program runs one random program on each of the drivers that open makes, and fails if their results differ. A single
// driver is compared with the model alone: it checks that the bytes of each stream are in order and that each op
// completes once.
func Program(t *testing.T, seed uint64, open ...Open) {
	t.Helper()
	compare(t, script(seed), onSystems(open)...)
}

func onSystems(open []Open) (on []ground) {
	for _, o := range open {
		on = append(on, onSystem(o, 64))
	}
	return on
}

// Fuzz searches for programs on which two drivers differ.
func Fuzz(f *testing.F, a, b Open) {
	for seed := range uint64(8) {
		f.Add(script(seed))
	}
	f.Fuzz(func(t *testing.T, script []byte) { compare(t, script, onSystems([]Open{a, b})...) })
}

func script(seed uint64) []byte {
	s := make([]byte, 600)
	r := rand.New(rand.NewPCG(seed, seed))
	for i := range s {
		s[i] = byte(r.Uint32())
	}
	return s
}

func compare(t *testing.T, script []byte, grounds ...ground) {
	t.Helper()
	var first []string
	for i, on := range grounds {
		h := start(t, on, testCase{size: 64, buffers: 32}, new(coverage))
		name := h.d.Info().Name
		trace := h.runProgram(script)
		h.finish()
		if i == 0 {
			first = trace
			continue
		}
		for j := range min(len(first), len(trace)) {
			if first[j] != trace[j] {
				t.Fatalf("step %d: the first driver says %q, %s says %q\nbefore it: %q", j, first[j], name,
					trace[j], first[max(0, j-10):j])
			}
		}
		if len(first) != len(trace) {
			t.Fatalf("the first driver has %d lines of results, %s %d", len(first), name, len(trace))
		}
	}
}

// program is a script under way.
type program struct {
	*harness
	script  []byte
	streams []*stream
	trace   []string
	ops     int
}

// stream is one connection of a program, with the model's knowledge of it.
type stream struct {
	p              *program
	index          int
	f              *desc
	far            *peer
	fed, eaten     int // bytes that the peer wrote; bytes that ops received
	pending        []*programOp
	expected, read []byte // what completed sends have sent; what the peer has read
	ended          bool   // the peer writes no more
	closed         bool   // the peer does not read either
}

type programOp struct {
	*call
	id  int
	buf []byte // where a plain receive puts its bytes, or what a send sends
	in  bool
	out bool
}

// runProgram runs a script and returns one line of result for each step and op.
func (h *harness) runProgram(script []byte) []string {
	p := &program{harness: h, script: script}
	for i := range 3 {
		s := &stream{p: p, index: i}
		s.f, s.far = h.pair()
		h.smallBuffers(s.f)
		p.streams = append(p.streams, s)
	}
	for len(p.script) > 0 {
		p.step(p.streams[p.number(len(p.streams))])
		p.settled()
	}
	for _, s := range p.streams {
		for len(s.pending) > 0 {
			s.cancelOne()
			p.settled()
		}
		s.finish()
	}
	return p.trace
}

// number takes one byte off the script and returns it modulo below; at the script's end it returns 0.
func (p *program) number(below int) int {
	if len(p.script) == 0 {
		return 0
	}
	n := int(p.script[0])
	p.script = p.script[1:]
	return n % below
}

func (p *program) say(format string, args ...any) {
	p.trace = append(p.trace, fmt.Sprintf(format, args...))
}

func (p *program) step(s *stream) {
	h := p.harness
	switch what := p.number(16); what {
	case 0, 1:
		b := make([]byte, 1+p.number(100))
		s.submit(h.recv(s.f, b), b, true, false)
	case 2:
		b := make([]byte, 1+p.number(100))
		s.submit(h.recvmsg(s.f, b[:len(b)/2], b[len(b)/2:]), b, true, false)
	case 3:
		s.submit(h.recvMulti(s.f), nil, true, false)
	case 4:
		s.submit(h.recvSelect(s.f), nil, true, false)
	case 5, 6:
		s.send(1 + p.number(200))
	case 7:
		s.send(20_000 + p.number(256)*100)
	case 8, 9, 10:
		s.feed(1 + p.number(256))
	case 11:
		s.drain(1 + p.number(256)*64)
	case 12:
		s.submit(h.poll(s.f, []uint32{sys.PollIn, sys.PollOut}[p.number(2)]), nil, false, false)
	case 13, 14:
		s.cancelOne()
	case 15:
		s.end(p.number(8))
	}
}

// send sends n bytes, but only if another send is pending or the peer has read everything. At other times the result
// would depend on the driver: a small send may find room although poll reports none, and a driver may try it or not.
func (s *stream) send(n int) {
	if b := []byte(pattern(1000+s.p.ops, 0, n)); s.sending() || len(s.read) == len(s.expected) {
		s.submit(s.p.sendFull(s.f, b), b, false, true)
	}
}

// sending reports whether a send is under way.
func (s *stream) sending() bool {
	return slices.ContainsFunc(s.pending, func(o *programOp) bool { return o.out })
}

// submit submits an op, unless the stream has 6 pending already.
func (s *stream) submit(c *call, buf []byte, in, out bool) {
	p := s.p
	o := &programOp{call: c, id: p.ops, buf: buf, in: in, out: out}
	if p.ops++; len(s.pending) >= 6 {
		c.drop()
		return
	}
	c.submit()
	s.pending = append(s.pending, o)
}

// drop gives up a call that was never submitted.
func (c *call) drop() {
	if c.desc != nil {
		c.desc.calls--
	}
	c.free()
}

// feed makes the peer write n bytes, if they are sure to fit into the socket, and into the pool if an op receives them
// all at once.
func (s *stream) feed(n int) {
	if s.ended || s.fed-s.eaten+n > 1500 {
		return
	}
	s.far.write(pattern(s.index, s.fed, n))
	s.fed += n
}

// drain makes the peer read up to n bytes, or everything if a send is pending; send says why.
func (s *stream) drain(n int) {
	if s.sending() {
		s.drainAll()
	} else {
		s.readUp(n)
	}
}

func (s *stream) drainAll() {
	for before := -1; before != len(s.read); s.p.settle() {
		before = len(s.read)
		s.readUp(1 << 20)
	}
}

func (s *stream) readUp(n int) {
	if s.closed {
		return
	}
	if got, err := s.far.read(n); err == nil {
		s.read = append(s.read, got...)
	}
}

// cancelOne cancels one pending op. The last step settled, so an op that is not waiting has usually ended; on a busy
// machine a late completion may still have come since.
func (s *stream) cancelOne() {
	if len(s.pending) == 0 {
		return
	}
	o := s.pending[s.p.number(len(s.pending))]
	if o.ended {
		return
	}
	if o.cancel().end(); o.out {
		s.drainAll()
	}
}

// end makes the peer end its output, or close, for two of the eight values of how.
func (s *stream) end(how int) {
	switch {
	case how == 0 && !s.ended:
		s.ended = true
		s.far.shutdown()
	case how == 1 && !s.closed && len(s.pending) == 0 && s.fed == s.eaten:
		s.readUp(1 << 20)
		s.ended, s.closed = true, true
		s.far.close()
	}
}

// settled lets the driver settle, and records which ops have ended and how.
func (p *program) settled() {
	p.settle()
	for _, s := range p.streams {
		for _, o := range s.pending {
			if o.ended {
				s.account(o)
			}
		}
		s.pending = slices.DeleteFunc(s.pending, func(o *programOp) bool { return o.ended })
	}
	p.say("settled")
}

// account compares an op that ended with the model, and records its result.
func (s *stream) account(o *programOp) {
	h := s.p.harness
	res := o.results[len(o.results)-1].res
	switch {
	case o.in:
		got := o.data
		if o.buf != nil && res > 0 {
			got = o.buf[:res]
		}
		if at := mismatch(got, s.index, s.eaten); at >= 0 || s.eaten+len(got) > s.fed {
			h.Fatalf("%s got %d bytes after %d of %d, the wrong ones from %d on", o.call, len(got), s.eaten, s.fed, at)
		}
		s.eaten += len(got)
		s.p.say("op %d: %s, %d bytes", o.id, show(res), len(got))
	case o.out:
		if res > 0 {
			s.expected = append(s.expected, o.buf[:res]...)
		}
		s.p.say("op %d: %s", o.id, class(res, len(o.buf)))
	default:
		if res > 0 {
			res &= int32(sys.PollIn | sys.PollOut)
		}
		s.p.say("op %d: %s", o.id, show(res))
	}
}

// class names the result of a send. How many bytes a partial send takes differs between kernels, so all partial sends
// have the same name.
func class(res int32, size int) string {
	switch {
	case res == int32(size):
		return "all"
	case res > 0:
		return "some"
	}
	return show(res)
}

// finish reads what is left and compares the streams as a whole.
func (s *stream) finish() {
	h := s.p.harness
	s.drainAll()
	if !s.closed && string(s.read) != string(s.expected) {
		h.Fatalf("stream %d: the peer read %d bytes, and ops sent %d, or others", s.index, len(s.read), len(s.expected))
	}
	rest := make([]byte, s.fed-s.eaten+1)
	res := h.m.read(s.f.Sys(), rest)
	if n := int(max(res, 0)); n != s.fed-s.eaten || mismatch(rest[:n], s.index, s.eaten) >= 0 {
		h.Fatalf("stream %d: %d bytes (%s) are left of %d that no op received", s.index, n, show(res), s.fed-s.eaten)
	}
}
