package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"ringo/examples/programs/internal/rig"
	"ringo/internal/test/dashtest"
	"ringo/internal/test/patience"
)

const (
	dashboard = "../../../metrics/grafana.json"
	rules     = "../../../metrics/ringo.rules.yml"
)

// quiet are queries that may say 0 in trouble, too, and why.
var quiet = map[string]string{
	"Second ways D": "an event for what is gone comes only if it is under way at that moment",
}

// TestDashboard has Prometheus scrape servers on two drivers, and asks it all that the dashboard asks: first while they
// do their usual work and no alert may fire, then in trouble, until each query has shown some and each alert fires.
func TestDashboard(t *testing.T) {
	for _, name := range []string{"prometheus", "strace"} {
		if _, err := exec.LookPath(name); err != nil {
			t.Skip(err) // .ci/dashboard gets it
		}
	}
	panels, variables, err := dashtest.Dashboard(dashboard)
	if err != nil {
		t.Fatal(err)
	}
	alerts, err := dashtest.Rules(rules)
	if err != nil {
		t.Fatal(err)
	}
	var servers []*server
	var targets []string
	for _, s := range []*server{startServer(t, "uring"), startServer(t, "epoll"), startServer(t, "uring", old...)} {
		servers, targets = append(servers, s), append(targets, s.operators)
	}
	m := startMonitor(t, fast(t), targets...)

	t.Log("usual work")
	m.untilShown(panels, nil, false)
	for _, v := range variables {
		if err := m.values(v); err != nil {
			t.Error(err)
		}
	}
	m.planted()
	for name, instances := range m.alerts() {
		slow := slices.Contains([]string{"RingoLongTurns", "RingoReadyTasksWait", "RingoLoopFull"}, name)
		if delete(instances, servers[2].operators); len(instances) > 0 && !slow { // as the machine may be
			t.Errorf("%s fires without a cause, for %v", name, instances)
		}
	}
	t.Log("trouble")
	for _, s := range servers[:2] {
		s.trouble()
	}
	panels = slices.DeleteFunc(panels, func(q dashtest.Query) bool { return quiet[q.At] != "" })
	m.untilShown(panels, alerts, true)
}

// untilShown waits until each query has given something, and each alert has fired. With more it is not enough that
// there is a series: some must have been above 0.
func (m *monitor) untilShown(queries, alerts []dashtest.Query, more bool) {
	m.t.Helper()
	queries, alerts = slices.Clone(queries), slices.Clone(alerts)
	var faults []error
	err := patience.Poll(nil, func() bool {
		faults = nil
		queries = slices.DeleteFunc(queries, func(q dashtest.Query) bool {
			err := m.shows(q, more)
			if err != nil {
				faults = append(faults, err)
			}
			return err == nil
		})
		fire := m.alerts()
		alerts = slices.DeleteFunc(alerts, func(a dashtest.Query) bool { return len(fire[a.At]) > 0 })
		return len(queries)+len(alerts) == 0
	})
	if err != nil {
		for _, a := range alerts {
			faults = append(faults, fmt.Errorf("%s does not fire", a.At))
		}
		m.t.Fatalf("%v:\n%v", err, errors.Join(faults...))
	}
}

// planted has the mistakes found that a look at names would not find.
func (m *monitor) planted() {
	for _, c := range []struct {
		q     dashtest.Query
		more  bool
		fault string
	}{
		{dashtest.Query{Expr: `sum(rate(ringo_loop_parks_total[5s])`}, false, "parse error"},
		{dashtest.Query{Expr: `summ(ringo_loop_tasks)`}, false, "unknown function"},
		{dashtest.Query{Expr: `rate(ringo_loop_parks_total)`}, false, "expected type range vector"},
		{dashtest.Query{Expr: `ringo_loop_handles{kind="connection"}`}, false, "no series"},
		{dashtest.Query{Expr: `ringo_lane_running / ringo_loop_tasks`}, false, "no series"},
		{dashtest.Query{Expr: `ringo_loop_tasks{job=~"$job", instance="$instance"}`}, false, "no series"},
		{dashtest.Query{Expr: `sum by (run) (ringo_loop_tasks)`, Shown: []string{"loop"}}, false, "no label loop"},
		{dashtest.Query{Expr: `ringo_loop_held_seconds < 0.1 and ringo_loop_held_seconds == 0`}, true, "nothing but 0"},
	} {
		if err := m.shows(c.q, c.more); err == nil || !strings.Contains(err.Error(), c.fault) {
			m.t.Errorf("%s: %v, want %s", c.q.Expr, err, c.fault)
		}
	}
}

// server is a process with loops on a driver.
type server struct {
	t                  testing.TB
	child              *rig.Child
	address, operators string
	peers              sync.WaitGroup
}

// old runs a server as on an older kernel, which has no memory for every tenth of its calls.
var old = []string{"strace", "-f", "-qq", "-o", os.DevNull, "-E", "RINGO_MASK=kernel=5.10",
	"-e", "trace=io_uring_enter", "-e", "inject=io_uring_enter:error=EAGAIN:when=100+10"}

func startServer(t testing.TB, driver string, command ...string) *server {
	s := &server{t: t, child: rig.StartChild(t, "server", driver, command...)}
	fmt.Sscan(s.child.Line(), &s.address, &s.operators)
	s.peers.Go(func() { s.peer(s.address, func(c net.Conn) { ask(c, 20) }) })
	s.peers.Go(func() { s.peer(s.address, func(c net.Conn) { ask(c, 1) }) })
	t.Cleanup(s.peers.Wait)
	return s
}

// trouble begins with all that the server can bear.
func (s *server) trouble() {
	var sink, source, limited, refusing string
	fmt.Sscan(s.child.Ask("trouble"), &sink, &source, &limited, &refusing)
	for range 40 {
		s.peers.Go(func() { s.peer(sink, func(c net.Conn) { c.Write(make([]byte, 1_000_000)) }) })
		s.peers.Go(func() { s.peer(limited, read) })
	}
	for range 5 {
		s.peers.Go(func() { s.peer(source, func(net.Conn) { <-s.t.Context().Done() }) })
		s.peers.Go(func() { s.peer(refusing, read) })
	}
}

// ask makes so many requests.
func ask(c net.Conn, times int) {
	answers := bufio.NewReader(c)
	for range times {
		fmt.Fprint(c, "GET /users/7 HTTP/1.1\r\nHost: here\r\n\r\n")
		answer, err := http.ReadResponse(answers, nil)
		if err != nil {
			return
		}
		io.Copy(io.Discard, answer.Body)
	}
}

func read(c net.Conn) { c.Read(make([]byte, 1)) }

// peer connects again and again.
func (s *server) peer(addr string, talk func(c net.Conn)) {
	for s.t.Context().Err() == nil {
		c, err := new(net.Dialer).DialContext(s.t.Context(), "tcp", addr)
		if err != nil {
			continue
		}
		stop := context.AfterFunc(s.t.Context(), func() { c.Close() })
		talk(c)
		stop()
		c.Close()
	}
}

// fast is the file of rules in a form that needs no minutes.
func fast(t testing.TB) (path string) {
	text, err := os.ReadFile(rules)
	if err != nil {
		t.Fatal(err)
	}
	text = regexp.MustCompile(`\[\d+m\]`).ReplaceAll(text, []byte("[5s]"))
	text = regexp.MustCompile(`for: \d+m`).ReplaceAll(text, []byte("for: 1s"))
	path = filepath.Join(t.TempDir(), "rules.yml")
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// picked has the dashboard's variables replaced, as Grafana does.
var picked = strings.NewReplacer("$job", "ringo", "$instance", ".*", "$__rate_interval", "5s")

// shows asks a query. With more, some of what it gave must have been above 0.
func (m *monitor) shows(q dashtest.Query, more bool) error {
	m.t.Helper()
	wrong := func(format string, args ...any) error {
		return fmt.Errorf("%s: %w, of %s", q.At, fmt.Errorf(format, args...), q.Expr)
	}
	lines, err := m.lines(picked.Replace(q.Expr))
	if err != nil {
		return wrong("%w", err)
	}
	some, above, largest := false, false, 0.0
	for _, l := range lines {
		for _, name := range q.Shown {
			if l.Metric[name] == "" {
				return wrong("no label %s in %v", name, l.Metric)
			}
		}
		most, ok := l.most()
		some, above, largest = some || ok, above || most > 0, max(largest, most)
	}
	switch {
	case !some:
		return wrong("no series")
	case more && !above:
		return wrong("nothing but 0 in %d series", len(lines))
	case more:
		m.t.Logf("%s: %d series, up to %.3g", q.At, len(lines), largest)
	}
	return nil
}

// values asks for a variable's.
func (m *monitor) values(v dashtest.Query) error {
	var data []string
	arguments := url.Values{"match[]": {picked.Replace(v.Expr)}}
	if err := m.ask(&data, "label/"+v.Shown[0]+"/values", arguments); err != nil {
		return fmt.Errorf("%s: %w", v.At, err)
	}
	if len(data) == 0 {
		return errors.New(v.At + ": no values")
	}
	return nil
}
