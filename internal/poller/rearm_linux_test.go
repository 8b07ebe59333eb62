//go:build linux

package poller

import (
	"runtime"
	"testing"

	"ringo/internal/sys"
	"ringo/uring"
)

// onRing runs a test on a ring with a pair of sockets, of which a is polled and armed.
func onRing(t *testing.T, without []string, f func(p *ring, index uint32, a, b int32)) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	mk, err := OpenRing(8, without)
	if err != nil {
		t.Skip(err)
	}
	p := mk.(*ring)
	defer p.Close()
	a, b := pair(t)
	want(t, "add", p.Add(a, sys.PollIn, 1), 0)
	none(t, p)
	index := p.at.find(a)
	if !p.slots[index].armed {
		t.Fatal("not armed")
	}
	f(p, uint32(index), a, b)
}

// stop ends a slot's poll behind the poller's back, as the kernel does for reasons
// of its own, and gives the completion that tells of it.
func stop(t *testing.T, p *ring, index uint32) (end uring.CQE) {
	t.Helper()
	token := p.slots[index].token(index)
	e := p.sqe()
	e.PrepPollRemove(token)
	e.UserData = 0 // nobody's: the poller did not ask
	p.enter(0, -1)
	for end.UserData != token {
		c, ok := p.r.CQE()
		if !ok {
			t.Fatal("the poll has not ended")
		}
		end = c
	}
	if end.Res != -sys.ECANCELED || end.More() {
		t.Fatalf("a poll that is stopped ends by %d, with flags %#x", end.Res, end.Flags)
	}
	return end
}

// A poll that the kernel cancels, because its thread was told to stop, is armed
// again: somebody still waits.
func TestCancelledPollIsArmedAgain(t *testing.T) {
	for _, without := range [][]string{nil, {"multishot_poll"}} {
		onRing(t, without, func(p *ring, index uint32, a, b int32) {
			for range 3 {
				end := stop(t, p, index)
				p.dispatch(&end)
				none(t, p)
				send(t, b, "x")
				only(t, p, 1, sys.PollIn)
				drain(a)
				none(t, p)
			}
		})
	}
}

// A multishot poll that ends with news is armed again, whatever ended it: the news
// of a full CQ may come later than the end. One that has had news since may end once
// more. Only who ends again at once is always ready and has no more to tell.
func TestEndedPollIsArmedAgain(t *testing.T) {
	onRing(t, nil, func(p *ring, index uint32, a, b int32) {
		if !p.multi {
			t.Skip("no multishot polls (Linux 5.13), and one that is one shot always ends")
		}
		for range 3 {
			end := stop(t, p, index)
			end.Res = sys.PollIn
			p.dispatch(&end)
			only(t, p, 1, sys.PollIn)
			none(t, p)
			send(t, b, "x") // news of one that goes on
			only(t, p, 1, sys.PollIn)
			drain(a)
			none(t, p)
		}
		for again := range 2 {
			end := stop(t, p, index)
			end.Res = sys.PollIn
			p.dispatch(&end)
			only(t, p, 1, sys.PollIn)
			none(t, p)
			if armed := p.slots[index].armed; armed != (again == 0) {
				t.Fatalf("armed after %d ends in a row: %v", again+1, armed)
			}
		}
	})
}
