package top

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"ringo"
	"ringo/debug"
	"ringo/internal/test/socktest"
)

func TestAddresses(t *testing.T) {
	for _, c := range []struct{ addr, want string }{
		{"6060", "http://127.0.0.1:6060/"}, {":6060", "http://127.0.0.1:6060/"}, {"h:1", "http://h:1/"},
		{"[::1]:1", "http://[::1]:1/"}, {"http://h/debug/ringo", "http://h/debug/ringo/"},
		{"https://h:1/x/", "https://h:1/x/"}, {"", ""}, {"ftp://h", ""}, {"a/b", ""}, {"a b:1", ""},
		{"h:1/debug/ringo/", "http://h:1/debug/ringo/"}, {"6060/x", "http://127.0.0.1:6060/x/"},
		{"[::1]:1/x/y", "http://[::1]:1/x/y/"}, {"h:1/", "http://h:1/"}, {"h", ""}, {"h:http", ""}, {"h:65536", ""},
		{"h:1/?x", ""}, {"a@h:1", ""}, {"/x", ""}, {"h:", ""},
	} {
		got, err := urlOf(c.addr)
		if got != c.want || (err == nil) != (c.want != "") {
			t.Errorf("%q: %q, %v; want %q", c.addr, got, err, c.want)
		}
	}
}

func TestUsage(t *testing.T) {
	for _, args := range []string{"", "a b", "-every 1ms 6060", "-n -1 6060", "-n 201 6060", "-list loops 6060"} {
		if _, err := parse(strings.Fields(args), io.Discard); err == nil {
			t.Errorf("%q is accepted", args)
		}
	}
}

// served runs a loop with two tasks, whose console is at the address that f gets.
func served(t *testing.T, f func(addr string)) {
	t.Helper()
	mux := http.NewServeMux()
	mux.Handle("/debug/ringo/", debug.Handler())
	s := httptest.NewServer(mux)
	defer s.Close()
	ctx, cancel := context.WithCancel(t.Context())
	ended, ready := make(chan error, 1), make(chan bool)
	go func() {
		ended <- ringo.Run(ctx, &ringo.Config{Loops: 1, Grace: -1}, func(l *ringo.Loop) error {
			for range 2 {
				l.GoNamed("red\x1b[31m\ntask", func() { l.Sleep(time.Hour) })
			}
			l.Yield()
			close(ready)
			return nil
		})
	}()
	<-ready
	f(s.URL + "/debug/ringo")
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	http.DefaultClient.CloseIdleConnections()
}

// /dev/null is no terminal to be redrawn until somebody presses q.
func TestNowhere(t *testing.T) {
	t.Setenv("TERM", "xterm")
	nowhere, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer nowhere.Close()
	served(t, func(addr string) {
		if err := Run([]string{"-every", "100ms", addr}, nowhere, io.Discard); err != nil {
			t.Error(err)
		}
	})
}

// What goes to a pipe has the loop, and the list that was asked for; a task's name is nothing that a terminal obeys.
func TestOnce(t *testing.T) {
	served(t, func(addr string) {
		for _, c := range []struct{ list, want string }{
			{"tasks", "tasks: 2 (2 parked), by -since"}, {"tasks", "red?[31m?task"}, {"connections", "connections: 0"},
			{"operations", "OPERATION"}, {"holds", "LONGEST"}, {"lanes", "offload"},
			{"tasks", ringo.Loops()[0].Info().Name},
		} {
			var out strings.Builder
			if err := Run([]string{"-once", "-every", "100ms", "-list", c.list, addr}, &out, io.Discard); err != nil {
				t.Fatal(err)
			}
			if !strings.Contains(out.String(), c.want) {
				t.Errorf("-list %s: no %q in\n%s", c.list, c.want, out.String())
			}
			if strings.ContainsRune(out.String(), '\x1b') {
				t.Errorf("-list %s: something that a terminal obeys in %q", c.list, out.String())
			}
		}
	})
}

// A console that is mounted where the documentation has it needs no path, and another one no scheme.
func TestMounted(t *testing.T) {
	served(t, func(addr string) {
		addr = strings.TrimPrefix(addr, "http://")
		host, _, _ := strings.Cut(addr, "/")
		_, port, _ := strings.Cut(host, ":")
		for _, at := range []string{addr, addr + "/", host, host + "/", port, "http://" + host} {
			var out strings.Builder
			if err := Run([]string{"-once", "-every", "100ms", at}, &out, io.Discard); err != nil ||
				!strings.Contains(out.String(), "tasks: 2 (2 parked)") {
				t.Errorf("%s: %v\n%s", at, err, out.String())
			}
		}
		err := Run([]string{"-once", host + "/elsewhere/"}, io.Discard, io.Discard)
		if err == nil || !strings.Contains(err.Error(), "/elsewhere/ is no console's") {
			t.Errorf("where there is none: %v", err)
		}
	})
}

// A loop that is held has a line that says so, and by whom.
func TestHeldLoop(t *testing.T) {
	socktest.EachDriver(t, func(t *testing.T, cfg ringo.Config) {
		s := httptest.NewServer(debug.Handler())
		defer s.Close()
		hold, held := make(chan bool), make(chan bool)
		socktest.OnLoop(t, cfg, func(l *ringo.Loop) {
			l.Go(func() { close(held); <-hold })
			err := l.Offload(func(context.Context) error {
				defer close(hold)
				<-held
				var out strings.Builder
				if err := Run([]string{"-once", "-every", "100ms", s.URL}, &out, io.Discard); err != nil {
					t.Error(err)
				}
				said := regexp.MustCompile("(?m)^ +held for [0-9].* by top\\.TestHeldLoop.* " +
					"\\(top_test\\.go:[0-9]+\\), blocked in receive")
				if !said.MatchString(out.String()) {
					t.Errorf("nothing of the hold in\n%s", out.String())
				}
				return nil
			})
			if err != nil {
				t.Error(err)
			}
		})
		http.DefaultClient.CloseIdleConnections()
	})
}

// Keys change what is asked for, and a screen has room for so many lines of so many columns.
func TestKeys(t *testing.T) {
	served(t, func(addr string) {
		url, err := urlOf(addr)
		if err != nil {
			t.Fatal(err)
		}
		c, v := &client{url: url}, &view{sorts: make([]int, len(lists))}
		for _, key := range "1sssssss r2srs3s4sr5srx \x1b" {
			if v.press(byte(key)) {
				t.Fatalf("%q is the end", key)
			}
			if err := c.ask(t.Context(), v, rowsMax); err != nil {
				t.Fatalf("after %q: %v", key, err)
			}
			for _, height := range []int{1, 3, 8, 100} {
				lines := v.lines(c, 40, height)
				if len(lines) > height {
					t.Errorf("%d lines of %d", len(lines), height)
				}
				for _, line := range lines {
					if len([]rune(line)) > 40 {
						t.Errorf("a line is too long: %q", line)
					}
				}
			}
		}
		if !v.press('q') {
			t.Error("q is not the end")
		}
	})
}

// answerOf is the answer of a process with a loop whose counters are all count.
func answerOf(pid int, up time.Duration, count uint64) *loops {
	a := &loops{Now: time.Unix(1000, int64(up)), Loops: []oneLoop{{Loop: "1.0"}}}
	a.Process.PID, a.Process.Up = pid, int64(up)
	s := &a.Loops[0].Stats
	s.Turns, s.Parks, s.InTasks, s.Driver.Completions = count, count, int64(count), count
	s.TurnTimes.Buckets = [][2]uint64{{512, count}}
	return a
}

// Rates are those of one process: one that was started again has none in its first answer.
func TestRatesOfOneProcess(t *testing.T) {
	before := answerOf(1, time.Hour, 5000)
	for _, c := range []struct {
		now  *loops
		want string
	}{
		{answerOf(1, time.Hour+time.Second, 5040), "1.0 0.0 % 40 40 40 <512ns <512ns"},
		{answerOf(2, time.Hour+time.Second, 40), "1.0 - - - - <512ns <512ns"},
		{answerOf(1, time.Second, 40), "1.0 - - - - <512ns <512ns"}, // in a container each has the same number
		{answerOf(2, time.Second, 9000), "1.0 - - - - <512ns <512ns"},
	} {
		line := (&client{before: before, now: c.now}).loopLine(&c.now.Loops[0])
		if !strings.HasPrefix(strings.Join(strings.Fields(line), " "), c.want) {
			t.Errorf("pid %d, up %v: %q, want %q", c.now.Process.PID, time.Duration(c.now.Process.Up), line, c.want)
		}
	}
}

// A screen of each width says that nobody answers.
func TestNoAnswerOnAScreen(t *testing.T) {
	c, v := &client{now: answerOf(1, time.Hour, 40)}, &view{sorts: make([]int, len(lists)), err: errors.New("refused")}
	for _, width := range []int{20, widthMax - 1, widthMax, widthMax + 1} {
		text := strings.Join(v.lines(c, width, 24), "\n")
		if !strings.Contains(text, "no answer: refused") {
			t.Errorf("%d columns: %q", width, text)
		}
	}
}

// An address that has no console says so.
func TestNoConsole(t *testing.T) {
	s := httptest.NewServer(http.NotFoundHandler())
	defer s.Close()
	err := Run([]string{"-once", s.URL}, io.Discard, io.Discard)
	if err == nil || !strings.Contains(err.Error(), "is no console's") {
		t.Errorf("a server without a console: %v", err)
	}
	s.Close()
	if err := Run([]string{"-once", s.URL}, io.Discard, io.Discard); err == nil ||
		!strings.Contains(err.Error(), "no console answers") {
		t.Errorf("no server: %v", err)
	}
}
