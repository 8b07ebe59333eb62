//go:build linux

package uring

import (
	"fmt"
	"math"
	"testing"

	"golang.org/x/sys/unix"

	"ringo/internal/abi"
	"ringo/internal/driver"
	"ringo/internal/op"
	"ringo/internal/test/uringtest"
)

// opcode is about requests of one kind.
func opcode(code uint8) func(*uringtest.Request) bool {
	return func(r *uringtest.Request) bool { return r.SQE.Opcode == code }
}

// A multishot op ends for no reason that it could know: with a result, or with an
// error behind it. Its owner is told once, has all bytes, and begins anew.
func TestScriptMultishotEnds(t *testing.T) {
	for how := 1; how <= 3; how++ {
		t.Run(fmt.Sprintf("recv %d", how), func(t *testing.T) {
			w := scripted(t, setting{script: uringtest.Once(uringtest.EndMultishot, how, opcode(abi.IORING_OP_RECV))})
			s := w.stream()
			c := w.recvSelect(s, op.Multishot)
			s.feed(100)
			w.ends(c)
			c = w.recvSelect(s, op.Multishot)
			w.until("all bytes", func() bool { return s.eaten == 100 })
			w.close()
		})
		t.Run(fmt.Sprintf("accept %d", how), func(t *testing.T) {
			w := scripted(t, setting{script: uringtest.Once(uringtest.EndMultishot, how, opcode(abi.IORING_OP_ACCEPT))})
			c := w.accept(op.Multishot)
			l := w.listener
			l.dial()
			l.dial()
			w.ends(c)
			w.accept(op.Multishot)
			w.until("both peers", func() bool { return l.accepted == 2 })
			w.close()
		})
	}
}

// The group is found empty though buffers are there: that is the op's end, and it
// loses neither bytes nor buffers.
func TestScriptNoBuffers(t *testing.T) {
	for _, flags := range []op.Flags{0, op.Multishot} {
		w := scripted(t, setting{script: uringtest.Times(3, uringtest.NoBuffers, 1, nil)})
		s := w.stream()
		s.feed(50)
		for range 3 {
			c := w.recvSelect(s, flags)
			if w.ends(c); c.res != -int32(unix.ENOBUFS) {
				t.Errorf("a receive gave %d, want ENOBUFS", c.res)
			}
		}
		for s.eaten < 50 {
			before := s.eaten
			w.recvSelect(s, 0)
			w.until("some bytes", func() bool { return s.eaten > before })
		}
		if n := w.d.Info().Stats.NoBuffers; n != 3 {
			t.Errorf("%d receives are counted as without a buffer, want 3", n)
		}
		w.close()
	}
}

// EAGAIN and EINTR in a completion stay in the driver, and so does ECANCELED that nobody has asked for.
func TestScriptNotReady(t *testing.T) {
	for how := 1; how <= 4; how++ {
		point, answer, times := uringtest.NotReady, how, 20
		if how == 4 { // without a thread ever
			point, answer, times = uringtest.GiveUp, 1, math.MaxInt
		}
		w := scripted(t, setting{script: uringtest.Times(times, point, answer, func(r *uringtest.Request) bool {
			return r.SQE.Opcode != abi.IORING_OP_POLL_ADD
		})})
		s := w.stream()
		calls := []*call{w.recv(s, 10), w.recvmsg(s, 10), w.read(s, 10), w.send(s, op.Write, 100, op.Full),
			w.accept(0), w.connect()}
		w.wait(driver.Poll)
		s.feed(30)
		w.ends(calls...)
		if s.eaten != 30 {
			t.Errorf("%d bytes were received, want 30", s.eaten)
		}
		w.close()
	}
}

// A cancel is answered in each way, before the op's own end and after it. The op
// ends once, whatever the answer.
func TestScriptCancelAnswers(t *testing.T) {
	for answer, name := range cancelAnswers {
		for _, ownFirst := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, own end first: %v", name, ownFirst), func(t *testing.T) {
				w := scripted(t, setting{script: cancelScript(answer, ownFirst)})
				s, idle := w.stream(), w.stream()
				calls := []*call{w.recv(idle, 8), w.recvSelect(s, op.Multishot),
					w.poll(idle, unix.POLLIN, op.Multishot)}
				w.wait(driver.Poll)
				for _, c := range calls {
					w.cancel(c)
				}
				s.feed(30) // comes between, for who is faster
				w.ends(calls...)
				if calls[0].res != -int32(unix.ECANCELED) {
					t.Errorf("the receive ended with %d", calls[0].res)
				}
				if answer > 0 && w.count(uringtest.AnswerCancel) == 0 {
					t.Error("no cancel was answered so")
				}
				if left := w.recv(s, 30); s.eaten < 30 {
					w.ends(left)
				}
				w.close()
			})
		}
	}
}

// cancelAnswers are the choices at AnswerCancel.
var cancelAnswers = []string{
	"0", "ENOENT and it waits", "EALREADY", "the op is faster", "EALREADY and it waits",
}

func cancelScript(answer int, ownFirst bool) uringtest.Script {
	return func(p uringtest.Point, n int, r *uringtest.Request) int {
		switch {
		case p == uringtest.AnswerCancel && answer < n && mark(r.SQE.User_data) != markWake:
			return answer
		case p == uringtest.PostLater && (r.SQE.Opcode == abi.IORING_OP_ASYNC_CANCEL) == ownFirst:
			return 2
		}
		return 0
	}
}

// A cancel that is told again and again that there is nothing is repeated only so
// often; and an op whose cancel lost keeps what it got.
func TestScriptCancelLoses(t *testing.T) {
	w := scripted(t, setting{script: uringtest.Once(uringtest.AnswerCancel, 3, opcode(abi.IORING_OP_ACCEPT))})
	accept := w.accept(op.Keep)
	w.wait(driver.Poll)
	w.cancel(accept)
	w.listener.dial() // before the cancel is looked at
	if w.ends(accept); accept.res < 0 {
		t.Errorf("a kept accept whose cancel came too late gave %d", accept.res)
	}
	w.close()

	w = scripted(t, setting{script: uringtest.Once(uringtest.AnswerCancel, 3, opcode(abi.IORING_OP_ACCEPT))})
	accept = w.accept(0)
	w.wait(driver.Poll)
	w.cancel(accept)
	w.listener.lossy = true
	w.listener.dial()
	if w.ends(accept); accept.res != -int32(unix.ECANCELED) {
		t.Errorf("a cancelled accept gave %d, and nobody closes that", accept.res)
	}
	w.close() // which counts descriptors
}

// The kernel scribbles over memory that it was lent and has not filled: nobody
// looks there, and nobody else has it.
func TestScriptScribble(t *testing.T) {
	w := scripted(t, setting{buffers: 4, script: func(p uringtest.Point, n int, _ *uringtest.Request) int {
		if p == uringtest.Scribble || p == uringtest.Punt {
			return 1
		}
		return 0
	}})
	s, other := w.stream(), w.stream()
	w.held = make([]lease, 0, 2)
	c, plain := w.recvSelect(s, op.Multishot), w.recv(other, 64)
	for range 20 {
		s.feed(30)
		other.feed(3)
		w.until("the bytes", func() bool { return s.eaten == s.fed && other.eaten == other.fed })
		if w.giveBack(); c.ended {
			c = w.recvSelect(s, op.Multishot)
		}
		if plain.ended {
			plain = w.recv(other, 64)
		}
	}
	w.close()
}
