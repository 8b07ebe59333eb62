package debug_test

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"ringo"
	"ringo/debug"
	"ringo/internal/test/socktest"
	"ringo/sock"
	"ringo/stats"
)

// said is what the API says in lists.
type said struct {
	Total, Matched int
	States, Kinds  any
	Tasks          []struct {
		Loop, Name, State, Wait, Peer string
		ID                            uint64
		FD                            int
	}
	Handles []struct {
		Loop, Kind, Network, State, Local, Remote, Reading, Writing string
		FD, Unread                                                  int
	}
	Groups []struct {
		Name  string
		Count int
	}
}

// What the API says is what the loops say: tasks, handles, counters and drivers, on each driver.
func TestSaysWhatLoopsSay(t *testing.T) {
	socktest.EachDriver(t, func(t *testing.T, cfg ringo.Config) {
		onGoroutine(t, cfg, func(l *ringo.Loop) { compare(t, l) })
	})
}

func compare(t *testing.T, l *ringo.Loop) {
	const conns = 5
	api := console(t).URL + "/debug/ringo/api/"
	accepted := make(chan *sock.Conn, conns)
	var ln *sock.Listener
	err := l.Call(func() (err error) {
		ln, err = sock.Listen(l, "tcp", "127.0.0.1:0")
		return err
	})
	if err != nil {
		t.Error(err)
		return
	}
	defer ln.Close()
	l.GoNamed("acceptor", func() {
		for range conns {
			c, err := ln.AcceptConn()
			if err != nil {
				t.Error(err)
				return
			}
			l.GoNamed("reader <b>", func() { io.Copy(io.Discard, c) })
			accepted <- c
		}
	})
	for range conns {
		peer, err := net.Dial("tcp", ln.Addr().String())
		if err != nil {
			t.Error(err)
			return
		}
		defer peer.Close()
		c := <-accepted
		defer c.Close()
	}
	socktest.Eventually(t, "readers that wait", func() bool {
		var s said
		fetch(t, api+"tasks?filter=reader+%3Cb%3E", &s)
		return s.Matched == conns && len(s.Groups) == 1 && s.Groups[0].Count == conns
	})
	name := fmt.Sprintf("%d.%d", l.Info().Run, l.Index())

	var s said
	fetch(t, api+"tasks?sort=id&loop="+name, &s)
	var shown, want []string
	for _, i := range s.Tasks {
		shown = append(shown, fmt.Sprint(i.ID, i.Name, i.State, i.Wait, i.FD, i.Peer))
	}
	for _, i := range l.Tasks() {
		want = append(want, fmt.Sprint(i.ID, i.Name, i.State, i.Wait, i.FD, i.Peer))
	}
	if s.Total != len(want) || !reflect.DeepEqual(shown, want) {
		t.Errorf("tasks:\n%s\nwant\n%s", strings.Join(shown, "\n"), strings.Join(want, "\n"))
	}

	s, shown, want = said{}, nil, nil
	fetch(t, api+"handles?loop="+name, &s)
	for _, i := range s.Handles {
		shown = append(shown, fmt.Sprint(i.Kind, i.Network, i.State, i.FD, i.Local, i.Remote, i.Reading, i.Unread))
	}
	for _, i := range l.Handles() {
		want = append(want, fmt.Sprint(i.Kind, i.Network, i.State, i.FD, i.Local, i.Remote, i.Reading, i.Unread))
	}
	slices.Sort(shown)
	slices.Sort(want)
	if s.Total != conns+1 || !reflect.DeepEqual(shown, want) {
		t.Errorf("handles:\n%s\nwant\n%s", strings.Join(shown, "\n"), strings.Join(want, "\n"))
	}

	var loops struct {
		Loops []struct {
			Loop string
			Info struct{ Name, Reason string }
			// Of the counters those that stand still, and two that only grow.
			Stats struct {
				Tasks, Slots, Workers int
				Turns                 uint64
				Driver                struct{ Enters uint64 }
				TurnTimes             struct {
					Count   uint64
					Buckets [][2]uint64
				}
			}
		}
		Lanes map[string][]struct{ Name string }
	}
	before := l.Stats()
	fetch(t, api+"loops?loop="+name, &loops)
	after := l.Stats()
	if len(loops.Loops) != 1 {
		t.Errorf("%d loops", len(loops.Loops))
		return
	}
	got := loops.Loops[0]
	if got.Loop != name || got.Info.Name != l.Info().Name || got.Info.Reason != l.Info().Reason {
		t.Errorf("%+v", got)
	}
	if got.Stats.Tasks != after.Tasks || got.Stats.Slots != after.Slots || got.Stats.Turns < before.Turns ||
		got.Stats.Turns > after.Turns || got.Stats.Driver.Enters > after.Driver.Enters ||
		got.Stats.TurnTimes.Count < before.TurnTimes.Count() {
		t.Errorf("%+v is not between\n%+v and\n%+v", got.Stats, before, after)
	}
	var inBuckets uint64
	for _, b := range got.Stats.TurnTimes.Buckets {
		inBuckets += b[1]
	}
	if inBuckets != got.Stats.TurnTimes.Count {
		t.Errorf("%d turns in buckets of %d", inBuckets, got.Stats.TurnTimes.Count)
	}
	if lanes := loops.Lanes[fmt.Sprint(l.Info().Run)]; len(lanes) != len(after.Lanes) || lanes[0].Name != "offload" {
		t.Errorf("lanes %+v", lanes)
	}
}

// While a task holds its loop the console answers, and shows who holds it.
func TestAnswersWhileALoopIsHeld(t *testing.T) {
	socktest.EachDriver(t, func(t *testing.T, cfg ringo.Config) { onGoroutine(t, cfg, whileHeld(t)) })
}

// heldLoops is what the API says of loops that may be held.
type heldLoops struct {
	Loops []struct {
		Held  *stats.Hold
		Stats struct{ Held, Longest, InTasks int64 }
	}
	Present []stats.Hold
}

func whileHeld(t *testing.T) func(l *ringo.Loop) {
	return func(l *ringo.Loop) {
		api := console(t).URL + "/debug/ringo/api/"
		hold, held := make(chan bool), make(chan bool)
		task := l.GoNamed("holder", func() { close(held); <-hold })
		<-held
		var s said
		if code := fetch(t, api+"tasks", &s); code != 200 || s.Total == 0 {
			t.Errorf("tasks: %d, %+v", code, s)
		}
		for _, list := range []string{"handles", "ops"} {
			var a struct{ Held []string }
			if code := fetch(t, api+list, &a); code != 200 || len(a.Held) != 1 {
				t.Errorf("%s: %d, held %v", list, code, a.Held)
			}
		}
		var now, before heldLoops
		fetch(t, api+"loops", &before)
		fetch(t, api+"loops", &now)
		fetch(t, api+"holds", &now)
		is, was := now.Loops[0], before.Loops[0]
		if is.Held == nil || !strings.Contains(is.Held.Task, "whileHeld") || is.Held.State != "blocked" ||
			is.Stats.Held <= was.Stats.Held || is.Stats.InTasks <= was.Stats.InTasks ||
			is.Stats.Longest < is.Stats.Held {
			t.Errorf("loops: %+v, before %+v", is, was)
		}
		if len(now.Present) != 1 || !strings.Contains(now.Present[0].Task, "whileHeld") {
			t.Errorf("holds: %+v", now.Present)
		}
		close(hold)
		task.Wait()
		socktest.Eventually(t, "a loop that is not held", func() bool {
			var now heldLoops
			fetch(t, api+"loops", &now)
			return now.Loops[0].Held == nil && now.Loops[0].Stats.Held == 0
		})
	}
}

// On a loop the handler works as well: its own loop it asks as a task of it.
func TestOnALoop(t *testing.T) {
	socktest.EachDriver(t, func(t *testing.T, cfg ringo.Config) {
		socktest.OnLoop(t, cfg, func(l *ringo.Loop) {
			for _, name := range []string{"loops", "tasks", "handles", "ops", "holds"} {
				w := httptest.NewRecorder()
				debug.Handler().ServeHTTP(w, httptest.NewRequest("GET", "/api/"+name, nil))
				if w.Code != http.StatusOK {
					t.Errorf("%s: %d %s", name, w.Code, w.Body)
				}
			}
		})
	})
}

// FuzzQuery: whatever the query, the answer is one of the API's, and JSON.
func FuzzQuery(f *testing.F) {
	for _, q := range []string{"", "n=1&sort=-age", "filter=%3Cscript%3E", "loop=1.0", "n=-1", "%", "a;b", "n=1&n=2"} {
		f.Add("tasks", q)
		f.Add("handles", q)
	}
	f.Add("../x", "")
	h := debug.Handler()
	f.Fuzz(func(t *testing.T, name, q string) {
		if name == "probe" {
			return // it takes its time, once
		}
		r := httptest.NewRequest("GET", "/api/", nil)
		r.URL = &url.URL{Path: "/api/" + name, RawQuery: q}
		w := httptest.NewRecorder()
		begun := time.Now()
		h.ServeHTTP(w, r)
		switch w.Code {
		case 200, 400, 404:
		default:
			t.Errorf("%q?%q: %d after %v", name, q, w.Code, time.Since(begun))
		}
	})
}
