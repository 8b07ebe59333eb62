//go:build linux

package uring

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"ringo/internal/abi"
	"ringo/internal/driver"
	"ringo/internal/fd"
	"ringo/internal/op"
	"ringo/internal/test/patience"
	"ringo/internal/test/uringtest"
	"ringo/uring"
)

// leave puts a send of n bytes into the outbox, for the next Wait.
func (w *world) leave(s *stream, n int) {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i*11 + len(s.sent) + s.id)
	}
	w.out.Sends = append(w.out.Sends, driver.Send{FD: s.Sys(), Buf: b})
	w.leaving = append(w.leaving, s)
}

// sends reports whether somebody sends on the stream, or is about to.
func (w *world) sends(s *stream) bool {
	for o, c := range w.calls {
		if c.s == s && direction(o) == fd.Out {
			return true
		}
	}
	return slices.Contains(w.leaving, s)
}

// takeOut holds what has become of the sends against the model, and empties the outbox.
func (w *world) takeOut() {
	w.k.Live(func(r *uringtest.Request) {
		if mark(r.SQE.User_data) == markSend {
			w.fail("a Wait is over, and the kernel still has %v", r)
		}
	})
	w.d.r.EachPending(func(e *uring.SQE) {
		if mark(e.UserData) == markSend {
			w.fail("a Wait is over, and a send is in the SQ")
		}
	})
	short := uint64(0)
	w.results = w.results[:0]
	for i, s := range w.leaving {
		o := &w.out.Sends[i]
		w.results = append(w.results, o.Res)
		if int(o.Res) != len(o.Buf) {
			short++
		}
		switch {
		case int(o.Res) > len(o.Buf), o.Res == 0 && len(o.Buf) > 0:
			w.fail("a send of %d bytes gave %d", len(o.Buf), o.Res)
		case o.Res >= 0:
			s.sent = append(s.sent, o.Buf[:o.Res]...)
		case o.Res == -int32(unix.EAGAIN):
		case s.broken && (o.Res == -int32(unix.EPIPE) || o.Res == -int32(unix.ECONNRESET)):
		case w.lossy: // the case knows better
		default:
			w.fail("a send of %d bytes gave %d", len(o.Buf), o.Res)
		}
		clear(o.Buf) // nobody looks there any more
	}
	if w.out.Short != (short > 0) || w.out.CountShort() != short {
		w.fail("%d of %d sends have not sent all; the outbox says %t, and counts %d", short, len(w.leaving),
			w.out.Short, w.out.CountShort())
	}
	w.leaving = w.leaving[:0]
	w.out.Reset()
}

// wantResults checks what became of the latest sends.
func (w *world) wantResults(want ...int32) {
	w.Helper()
	if !slices.Equal(w.results, want) {
		w.Errorf("the sends gave %v, want %v", w.results, want)
	}
}

func isSend(r *uringtest.Request) bool { return mark(r.SQE.User_data) == markSend }

// kinds are kernels that tell failures only, and such as tell all, with and without SUBMIT_ALL.
var kinds = map[string][]string{
	"silent": nil, "each": {"silent_send"}, "no_cqe_skip": {"cqe_skip"}, "stops": {"submit_all"},
	"each_stops": {"silent_send", "submit_all"}, "no_ext_arg": {"ext_arg"},
}

// onKinds runs a case on each of kinds, behind a script of its own.
func onKinds(t *testing.T, s setting, script func() uringtest.Script, f func(t *testing.T, w *world)) {
	for name, without := range kinds {
		t.Run(name, func(t *testing.T) {
			s := s
			if script != nil {
				s.script = script()
			}
			s.without = append(slices.Clone(s.without), without...)
			w := scripted(t, s)
			patience.Within(t.Name(), func() { f(t, w) })
			w.close()
		})
	}
}

// Sends go with the enter that waits; whole ones do not end the wait, and where the kernel tells
// failures only they have no completions.
func TestScriptSends(t *testing.T) {
	onKinds(t, setting{}, nil, func(t *testing.T, w *world) {
		a, b, idle := w.stream(), w.stream(), w.stream()
		w.recv(idle, 8)
		w.wait(driver.Poll)
		enters, seen := w.d.stats.Enters, false
		w.leave(a, 10)
		w.leave(idle, 0)
		w.leave(b, 20)
		w.meantime = func() {
			a.drain(100)
			b.drain(100)
			seen = len(a.read) == 10 && len(b.read) == 20
		}
		deadline := w.soon(time.Millisecond)
		if w.wait(deadline) || w.clock.Now() != deadline || !seen {
			t.Errorf("sends before the sleep: %t; the Wait took %v", seen, time.Duration(w.clock.Now()-deadline))
		}
		w.wantResults(10, 0, 20)
		if n := w.d.stats.Enters - enters; w.d.sending == bySilences && w.d.extArg && n != 1 {
			t.Errorf("two sends and a wait took %d enters", n)
		}
		if st := w.d.stats; st.Sends != 2 || st.ShortSends != 0 {
			t.Errorf("%d sends, %d short", st.Sends, st.ShortSends)
		}
	})
}

// A send that comes short ends the Wait at once, and says how far it came.
func TestScriptSendShort(t *testing.T) {
	for _, when := range []int64{driver.Forever, driver.Poll, 0} {
		onKinds(t, setting{}, func() uringtest.Script {
			return uringtest.Once(uringtest.SendShort, 7, isSend)
		}, func(t *testing.T, w *world) {
			a, b := w.stream(), w.stream()
			w.leave(a, 20)
			w.leave(b, 5)
			begun := w.clock.Now()
			deadline := when
			if when == 0 {
				deadline = w.soon(time.Hour)
			}
			if w.wait(deadline); w.clock.Now() != begun {
				t.Errorf("a Wait slept %v over a short send", time.Duration(w.clock.Now()-begun))
			}
			w.wantResults(7, 5)
			if st := w.d.stats; st.Sends != 2 || st.ShortSends != 1 {
				t.Errorf("%d sends, %d short", st.Sends, st.ShortSends)
			}
		})
	}
}

// There is little room, and then none; and then nobody there.
func TestScriptSendErrors(t *testing.T) {
	onKinds(t, setting{}, nil, func(t *testing.T, w *world) {
		a, gone := w.stream(), w.stream()
		w.leave(a, 1<<16)
		w.wait(driver.Forever)
		if res := w.results[0]; res <= 0 || res >= 1<<16 {
			t.Errorf("a send into little room gave %d", res)
		}
		w.leave(a, 1<<16)
		w.wait(driver.Forever)
		w.wantResults(-int32(unix.EAGAIN))
		gone.broken, gone.ended = true, true
		unix.Close(gone.peer)
		w.leave(gone, 3)
		w.wait(driver.Forever)
		w.wantResults(-int32(unix.EPIPE))
		w.lossy = true
		w.out.Sends = append(w.out.Sends, driver.Send{FD: 1 << 20, Buf: []byte("to nobody")})
		w.leaving = append(w.leaving, a)
		w.wait(driver.Forever)
		w.wantResults(-int32(unix.EBADF))
	})
}

// An entry is refused in mid-batch: it and those behind it are sent all the same, once.
func TestScriptSendRefused(t *testing.T) {
	for nth := range 4 {
		onKinds(t, setting{}, func() uringtest.Script {
			n := 0
			return uringtest.Times(2, uringtest.Refuse, 1, func(r *uringtest.Request) bool {
				n++
				return isSend(r) && n%4 == nth
			})
		}, func(t *testing.T, w *world) {
			for range 3 {
				for i := range 4 {
					if i == len(w.streams) {
						w.stream()
					}
					w.leave(w.streams[i], 10+i)
				}
				w.wait(w.soon(time.Millisecond))
				w.wantResults(10, 11, 12, 13)
			}
			if w.count(uringtest.Refuse) == 0 {
				t.Error("nothing was refused")
			}
		})
	}
}

// The kernel takes some of the entries, or none, for as long as it likes: nobody waits for it.
func TestScriptSendsNotTaken(t *testing.T) {
	for p, choices := range map[uringtest.Point]int{uringtest.TakeLess: 4, uringtest.EnterFails: 2} {
		for k := 1; k <= choices; k++ {
			t.Run(fmt.Sprintf("%v %d", p, k), func(t *testing.T) {
				onKinds(t, setting{}, nil, func(t *testing.T, w *world) {
					idle := w.stream()
					w.recv(idle, 8)
					w.wait(driver.Poll)
					for i := range 4 {
						w.leave(w.stream(), 10+i)
					}
					w.k.SetScript(uringtest.Times(20, p, k, nil))
					w.nop()
					began := w.clock.Now()
					w.wait(w.soon(time.Second))
					w.wantResults(10, 11, 12, 13)
					if took := time.Duration(w.clock.Now() - began); took > 10*time.Millisecond {
						t.Errorf("it took %v", took)
					}
					w.k.SetScript(nil)
				})
			})
		}
	}
}

// More sends than the SQ has entries, and more than the CQ, which other completions have filled; some fail.
func TestScriptSendsPastCapacity(t *testing.T) {
	for _, script := range []func() uringtest.Script{
		nil,
		func() uringtest.Script { return uringtest.Times(5, uringtest.SendShort, 3, isSend) },
		func() uringtest.Script { return uringtest.Times(3, uringtest.EnterFails, 2, nil) },
	} {
		onKinds(t, setting{entries: 2, without: []string{"cqsize"}}, script, func(t *testing.T, w *world) {
			s := w.stream()
			var polls []*call
			for range 9 {
				polls = append(polls, w.poll(s, unix.POLLIN, 0))
				w.wait(driver.Poll)
			}
			s.feed(1) // all of which end in the next enter
			want := 0
			for i := range 23 {
				w.leave(w.stream(), 5+i)
				want += 5 + i
			}
			w.wait(w.soon(time.Millisecond))
			short := false
			for i, res := range w.results {
				short = short || int(res) != 5+i
			}
			if n := w.count(uringtest.SendShort); (n > 0) != short {
				t.Errorf("%d sends were short, and the results are %v", n, w.results)
			}
			w.ends(polls...)
		})
	}
}

// A failure is in the overflow list when its enter returns: it is heard before the Wait ends.
func TestScriptSendOverflow(t *testing.T) {
	onKinds(t, setting{entries: 4, without: []string{"cqsize"}}, func() uringtest.Script {
		return uringtest.Times(3, uringtest.SendShort, 2, isSend)
	}, func(t *testing.T, w *world) {
		s := w.stream()
		for i := range 3 {
			w.leave(w.stream(), 5+i)
		}
		var polls []*call
		s.feed(1)
		for range 9 { // nine that end at once, of which the SQ takes four at a time and the CQ has eight places
			polls = append(polls, w.poll(s, unix.POLLIN, 0))
		}
		w.wait(driver.Poll)
		w.wantResults(2, 2, 2)
		w.ends(polls...)
	})
}

// The ring dies in mid-batch: what the kernel has not taken is sent by plain calls, what it has
// taken is not sent again.
func TestScriptSendsDeath(t *testing.T) {
	died := errors.New("dead on purpose")
	for after := range 4 {
		for _, entries := range []int{2, 64} {
			onKinds(t, setting{entries: entries}, nil, func(t *testing.T, w *world) {
				var streams []*stream
				for range 7 {
					streams = append(streams, w.stream())
				}
				w.wait(driver.Poll)
				enters := 0
				w.d.fault = func() error {
					if enters++; enters > after {
						return died
					}
					return nil
				}
				for range 5 {
					for i, s := range streams {
						w.leave(s, 3+i)
					}
					if err := w.d.Wait(w.soon(time.Millisecond), &w.done); err != nil && err != died {
						t.Fatal(err)
					}
					w.takeOut()
					w.wantResults(3, 4, 5, 6, 7, 8, 9)
				}
				if w.d.dead == nil {
					t.Error("it is alive")
				}
			})
		}
	}
}

// The ring dies while a send's failure is in the overflow list, where nobody can hear it any more: no send is said to
// have gone that has not.
func TestScriptSendsDeathOverOverflow(t *testing.T) {
	onKinds(t, setting{entries: 2, without: []string{"cqsize"}}, nil, func(t *testing.T, w *world) {
		died := errors.New("dead on purpose")
		s := w.stream()
		s.feed(1)
		a, b := w.stream(), w.stream()
		w.wait(driver.Poll)
		w.k.SetScript(uringtest.Times(2, uringtest.SendShort, 2, isSend))
		w.leave(a, 5)
		w.leave(b, 6)
		for range 5 { // four fill the CQ, and the first send goes with the fifth
			w.poll(s, unix.POLLIN, 0)
		}
		w.d.fault = func() error {
			if w.k.Overflowed() > 0 {
				return died
			}
			return nil
		}
		w.lossy = true
		w.d.Wait(driver.Poll, &w.done)
		w.takeOut()
		w.wantResults(-int32(unix.EIO), 6)
		a.drain(100)
		if string(a.read) == "" || w.count(uringtest.SendShort) != 1 {
			t.Errorf("the first send did not go by an entry: %d bytes came", len(a.read))
		}
		a.broken = true // two bytes more than anybody knows of
	})
}

// A kernel forgets with MSG_WAITALL what a send did that came short, as Linux 5.19 does: there it is not used.
func TestScriptSendsWithoutWaitall(t *testing.T) {
	for name, without := range kinds {
		w := scripted(t, setting{without: without, script: func(p uringtest.Point, _ int, r *uringtest.Request) int {
			if r == nil || r.SQE.Opcode != abi.IORING_OP_SEND || !isSend(r) || p != uringtest.SendShort {
				return 0
			}
			if skips := r.SQE.Flags&abi.IOSQE_CQE_SKIP_SUCCESS != 0; skips != (r.SQE.Rw_flags&unix.MSG_WAITALL != 0) {
				t.Errorf("%s: a send that tells failures only: %t, with flags %#x", name, skips, r.SQE.Rw_flags)
			}
			return 1
		}})
		w.leave(w.stream(), 9)
		w.wait(driver.Poll)
		w.wantResults(1)
		w.close()
	}
}

// A Wake before the Wait ends it, with all sends made; ops on the other side of the stream go on.
func TestScriptSendsBesideOps(t *testing.T) {
	onKinds(t, setting{}, nil, func(t *testing.T, w *world) {
		s := w.stream()
		c, multi := w.recv(s, 8), w.recvSelect(w.stream(), op.Multishot)
		w.wait(driver.Poll)
		w.cancel(multi)
		w.leave(s, 30)
		w.wake()
		w.wait(driver.Forever)
		w.woken = false
		w.wantResults(30)
		s.feed(8)
		w.ends(c, multi)
	})
}

// A failure is at the end of a long overflow list, of which a Wait that has something to report leaves the rest to the
// next one: not so if it has sent.
func TestScriptSendLongOverflow(t *testing.T) {
	onKinds(t, setting{entries: 2, without: []string{"cqsize", "defer_taskrun"}}, func() uringtest.Script {
		return uringtest.Times(1, uringtest.SendShort, 2, isSend)
	}, func(t *testing.T, w *world) {
		s := w.stream()
		var polls []*call
		for range 300 {
			polls = append(polls, w.poll(s, unix.POLLIN, 0))
			w.wait(driver.Poll)
		}
		s.feed(1) // Tick ends them all
		w.leave(w.stream(), 5)
		w.wait(driver.Poll)
		w.wantResults(2)
		w.ends(polls...)
	})
}

// As long as the kernel has no memory for entries, calls send.
func TestScriptSendsDoNotWaitForMemory(t *testing.T) {
	onKinds(t, setting{}, nil, func(t *testing.T, w *world) {
		s := w.stream()
		w.wait(w.soon(1))
		rests, got := 0, 0
		w.d.rest = func(d time.Duration) {
			if rests++; rests == 2 {
				s.drain(100)
				got = len(s.read)
			}
			w.clock.Advance(d)
		}
		w.k.SetScript(uringtest.Times(20, uringtest.EnterFails, 1, nil))
		nop := w.nop()
		w.leave(s, 9)
		w.wait(w.soon(time.Second))
		w.wantResults(9)
		if w.ends(nop); rests < 2 || got != 9 {
			t.Errorf("after two of %d rests the peer had %d bytes", rests, got)
		}
	})
}

// The kernel never tells what has become of a send: it counts as failed, and the Wait ends. What is told later is
// nobody's.
func TestScriptSendsNeverHeard(t *testing.T) {
	onKinds(t, setting{entries: 2, without: []string{"cqsize"}}, nil, func(t *testing.T, w *world) {
		s := w.stream()
		s.feed(1)
		a, b := w.stream(), w.stream()
		w.wait(driver.Poll)
		w.k.SetScript(func(p uringtest.Point, _ int, r *uringtest.Request) int {
			switch {
			case p == uringtest.EnterFails && w.k.Overflowed() > 0:
				return 1
			case p == uringtest.SendShort && isSend(r):
				return 2
			}
			return 0
		})
		w.leave(a, 5)
		w.leave(b, 6)
		var polls []*call
		for range 5 { // four fill the CQ, and the first send goes with the fifth
			polls = append(polls, w.poll(s, unix.POLLIN, 0))
		}
		w.lossy = true
		w.wait(driver.Poll)
		w.wantResults(-int32(unix.EIO), 6) // the second by a call
		if w.k.Overflowed() == 0 {
			t.Error("everything was heard")
		}
		a.broken = true // two bytes more than anybody knows of
		w.k.SetScript(nil)
		w.stale = 1
		w.leave(b, 4)
		w.wait(driver.Poll)
		w.wantResults(4)
		if w.ends(polls...); w.d.stats.Stale != 1 {
			t.Errorf("%d completions came late, want one", w.d.stats.Stale)
		}
	})
}
