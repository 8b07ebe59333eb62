package proxy

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"ringo/internal/posix"
)

// watched is upstreams with a clock of their own, and the lines that they have said.
type watched struct {
	*upstreams
	time  time.Time
	lines []string
}

func watch(n int) *watched {
	w := &watched{upstreams: several(balanceLeast, n), time: time.Unix(1000, 0)}
	w.now = func() time.Time { return w.time }
	w.say = func(format string, args ...any) { w.lines = append(w.lines, fmt.Sprintf(format, args...)) }
	return w
}

// wantSaid compares the lines since the last such call, by what they begin with.
func (w *watched) wantSaid(t *testing.T, want ...string) {
	t.Helper()
	ok := len(w.lines) == len(want)
	for i := 0; ok && i < len(want); i++ {
		ok = strings.HasPrefix(w.lines[i], want[i])
	}
	if !ok {
		t.Errorf("the lines are %q, want %q", w.lines, want)
	}
	w.lines = nil
}

// next gives who is next, by number, and -1 for none; it leaves at once.
func (w *watched) next(tried ...*upstream) int {
	u := w.take("", tried)
	for i := range w.all {
		if w.all[i] == u {
			w.leave(u)
			return i
		}
	}
	return -1
}

var (
	errRefused = &net.OpError{Op: "dial", Net: "tcp", Err: posix.ECONNREFUSED}
	errCheck   = errors.New("GET /: 503 Service Unavailable")
)

const (
	first  = "upstream tcp://10.0.0.1:80 "
	second = "upstream tcp://10.0.0.2:80 "
)

// TestFall: failures in a row of one kind put an upstream out, and nothing else.
func TestFall(t *testing.T) {
	w := watch(2)
	u := w.all[0]
	for _, err := range []error{errRefused, errRefused, nil, errRefused, errRefused,
		context.Canceled, posix.EMFILE, posix.ENOMEM, posix.EADDRNOTAVAIL} {
		w.note(u, byConn, err)
		w.note(u, byCheck, nil)
	}
	w.note(u, byCheck, errCheck)
	w.note(u, byCheck, errCheck)
	w.wantSaid(t)
	w.note(u, byConn, errRefused)
	w.wantSaid(t, first+"is out: 3 connections in a row have failed, the last: dial tcp: connection refused")
	if w.next() != 1 || w.next(w.all[1]) != -1 || w.out() != 1 {
		t.Errorf("%d are out; %d is next, then %d; want 1, and the second alone", w.out(), w.next(), w.next(w.all[1]))
	}
}

// TestChecksBesideConnections: an upstream to which connections come, but not what is checked, is out.
func TestChecksBesideConnections(t *testing.T) {
	w := watch(2)
	w.check = time.Second
	u := w.all[0]
	for range w.fall {
		w.note(u, byConn, nil)
		w.note(u, byCheck, errCheck)
		w.note(u, byConn, nil)
	}
	w.wantSaid(t, first+"is out: 3 checks in a row have failed, the last: GET /: 503")
	w.time = w.time.Add(time.Hour)
	if w.next(w.all[1]) != -1 {
		t.Error("a connection tries what checks have put out")
	}
	for _, err := range []error{nil, errCheck, nil} { // never two in a row
		w.note(u, byCheck, err)
		w.note(u, byConn, nil)
	}
	w.wantSaid(t)
	w.note(u, byCheck, nil)
	w.wantSaid(t, first+"is in again")
	if w.out() != 0 {
		t.Errorf("%d are out, want none", w.out())
	}
}

// TestTrials: one connection at a time tries what is out, after pauses that grow to a bound.
func TestTrials(t *testing.T) {
	w := watch(2)
	u, other := w.all[0], w.all[1]
	for range w.fall {
		w.note(u, byConn, errRefused)
	}
	for i, pause := 0, w.pause; i < 10; i++ {
		w.time = w.time.Add(pause - 1)
		if w.next(other) != -1 {
			t.Fatalf("trial %d comes before %v", i, pause)
		}
		w.time = w.time.Add(1)
		if w.next(other) != 0 {
			t.Fatalf("no trial %d after %v", i, pause)
		}
		if w.next(other) != -1 {
			t.Fatalf("a second connection beside trial %d", i)
		}
		w.note(u, byConn, errRefused)
		w.note(u, byConn, errRefused) // one from before it was out
		if pause *= 2; pause > 64*w.pause {
			pause = 64 * w.pause
		}
	}
	w.time = w.time.Add(time.Hour)
	if w.next(other) != 0 {
		t.Fatal("no trial after an hour")
	}
	w.note(u, byConn, context.Canceled)
	if w.next(other) != 0 {
		t.Fatal("no trial after one that was cancelled")
	}
	w.time = w.time.Add(w.trial)
	if w.next(other) != 0 {
		t.Fatal("no trial beside one that does not end")
	}
	w.note(u, byConn, nil)
	w.wantSaid(t, first+"is out", first+"is in again")
	if w.next(other) != 0 || w.next(other) != 0 {
		t.Error("what is in again is not chosen")
	}
}

// TestAllOut: if all are out, all are tried, and that is said once.
func TestAllOut(t *testing.T) {
	w := watch(2)
	for _, u := range w.all {
		for range 2 * w.fall {
			w.note(u, byConn, errRefused)
		}
	}
	w.wantSaid(t, first+"is out", second+"is out", "all upstreams are out")
	for range 5 {
		if w.next(w.all[0]) != 1 || w.next(w.all[1]) != 0 {
			t.Fatal("an upstream is left out, though all are out")
		}
	}
	w.note(w.all[1], byConn, nil)
	w.wantSaid(t, second+"is in again")
	if w.next(w.all[1]) != -1 {
		t.Error("the one that is out is tried, though the other is in")
	}
}
