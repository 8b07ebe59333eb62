package ringoprom_test

import (
	"context"
	"io"
	"math"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/prometheus/client_golang/prometheus/testutil"
	dto "github.com/prometheus/client_model/go"

	"ringo"
	"ringo/metrics"
	ringoprom "ringo/metrics/prometheus"
	"ringo/sock"
)

// patience bounds every wait of these tests.
const patience = 20 * time.Second

// drivers are those that work here.
func drivers(t *testing.T) (names []string) {
	for _, name := range []string{"uring", "epoll", "poll", "select"} {
		cfg := ringo.Config{Loops: 1, Driver: name}
		if err := ringo.Run(t.Context(), &cfg, func(*ringo.Loop) error { return nil }); err != nil {
			t.Logf("not on %s: %v", name, err)
			continue
		}
		names = append(names, name)
	}
	if len(names) == 0 {
		t.Skip("no driver works here")
	}
	return names
}

func registry(t *testing.T) *prometheus.Registry {
	r := prometheus.NewPedanticRegistry()
	r.MustRegister(ringoprom.NewCollector())
	return r
}

// sum adds the values of a metric, of those samples that have the labels; of a histogram its counts.
func sum(t *testing.T, from prometheus.Gatherer, name string, labels ...string) (v float64) {
	t.Helper()
	all, err := from.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, family := range all {
		if family.GetName() != name {
			continue
		}
	next:
		for _, m := range family.Metric {
			for i := 0; i < len(labels); i += 2 {
				if label(m, labels[i]) != labels[i+1] {
					continue next
				}
			}
			v += m.GetCounter().GetValue() + m.GetGauge().GetValue() + float64(m.GetHistogram().GetSampleCount())
		}
	}
	return v
}

func label(m *dto.Metric, name string) string {
	for _, l := range m.Label {
		if l.GetName() == name {
			return l.GetValue()
		}
	}
	return ""
}

// echo serves until ctx ends, and tells where.
func echo(ctx context.Context, driver string, addr chan<- string) error {
	cfg := ringo.Config{Loops: 2, Driver: driver, Grace: time.Millisecond}
	set, err := sock.Reserve("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	var once sync.Once
	return ringo.Run(ctx, &cfg, func(l *ringo.Loop) error {
		ln, err := set.Listen(l)
		if err != nil {
			return err
		}
		once.Do(func() { addr <- ln.Addr().String() })
		for {
			c, err := ln.AcceptConn()
			if err != nil {
				return err
			}
			l.Go(func() {
				defer c.Close()
				io.Copy(c, c)
			})
		}
	})
}

// A real server is scraped by the real client: what it tells is what was done, and what Stats tells.
func TestServer(t *testing.T) {
	for _, driver := range drivers(t) {
		t.Run(driver, func(t *testing.T) { server(t, driver) })
	}
}

func server(t *testing.T, driver string) {
	r := registry(t)
	accepted := sum(t, r, "ringo_loop_handles_opened_total", "kind", "conn")
	ctx, stop := context.WithCancel(t.Context())
	addr, ended := make(chan string, 1), make(chan error, 1)
	go func() { ended <- echo(ctx, driver, addr) }()
	at := <-addr
	const conns, requests = 12, 50
	var peers []net.Conn
	for range conns {
		c, err := net.Dial("tcp", at)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		peers = append(peers, c)
		p := make([]byte, 16)
		for range requests {
			c.Write(p)
			if _, err := io.ReadFull(c, p); err != nil {
				t.Fatal(err)
			}
		}
	}
	// A loop that is not asked in time, on a busy machine, is told of as it was before.
	want := func(name string, value float64, labels ...string) {
		t.Helper()
		got := math.NaN()
		for begun := time.Now(); got != value; got = sum(t, r, name, labels...) {
			if time.Since(begun) > patience {
				t.Errorf("%s%q is %v, want %v", name, labels, got, value)
				return
			}
		}
	}
	want("ringo_listener_accepted_total", conns, "address", at, "network", "tcp")
	want("ringo_listener_connections", conns, "address", at)
	want("ringo_listener_errors_total", 0, "address", at)
	want("ringo_listener_queue", 0, "address", at)
	want("ringo_loop_handles_opened_total", accepted+conns, "kind", "conn")
	want("ringo_loop_handles", conns, "kind", "conn")
	want("ringo_loop_handles", 2, "kind", "listener")
	want("ringo_loop_tasks", conns+2)
	want("ringo_loop_info", 2, "driver", driver)
	want("ringo_lane_slots", 256, "lane", "offload")
	parks, turns, n := uint64(0), uint64(0), sum(t, r, "ringo_loop_turn_seconds")
	for _, l := range ringo.Loops() {
		s := l.Stats()
		parks += s.Parks
		turns += s.Turns
	}
	if got := sum(t, r, "ringo_loop_parks_total"); got < float64(parks) || parks < conns {
		t.Errorf("%v parks, Stats had %d before", got, parks)
	}
	if n == 0 || n > sum(t, r, "ringo_loop_turn_seconds") || turns == 0 {
		t.Errorf("%v turns, Stats has %d", n, turns)
	}
	for _, c := range peers[:5] {
		c.Close()
	}
	want("ringo_listener_connections", conns-5, "address", at)
	web := httptest.NewServer(promhttp.HandlerFor(r, promhttp.HandlerOpts{ErrorHandling: promhttp.HTTPErrorOnError}))
	defer web.Close()
	res, err := http.Get(web.URL)
	if err != nil {
		t.Fatal(err)
	}
	body, _ := io.ReadAll(res.Body)
	res.Body.Close()
	if res.StatusCode != http.StatusOK || !strings.Contains(string(body), "ringo_loop_turn_seconds_bucket") {
		t.Errorf("promhttp: %s: %.200s", res.Status, body)
	}
	before := sum(t, r, "ringo_loop_parks_total")
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	want("ringo_loop_tasks", 0)
	want("ringo_listener_accepted_total", 0, "address", at)
	if after := sum(t, r, "ringo_loop_parks_total"); after < before {
		t.Errorf("%v parks after the loops' end, %v before", after, before)
	}
}

func TestLint(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	addr, ended := make(chan string, 1), make(chan error, 1)
	go func() { ended <- echo(ctx, drivers(t)[0], addr) }()
	<-addr
	faults, err := testutil.GatherAndLint(registry(t))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range faults {
		t.Errorf("%s: %s", f.Metric, f.Text)
	}
	stop()
	<-ended
}

// Scrapes go on while loops begin, end and are held, and no counter goes down.
func TestWhileLoopsComeAndGo(t *testing.T) {
	r := registry(t)
	driver := drivers(t)[0]
	over := make(chan struct{})
	var busy sync.WaitGroup
	for range 2 {
		busy.Go(func() {
			for range 30 {
				cfg := ringo.Config{Loops: 2, Driver: driver, StallLimit: -1}
				err := ringo.Run(t.Context(), &cfg, func(l *ringo.Loop) error {
					for range 5 {
						l.Sleep(time.Millisecond)
						for begun := time.Now(); time.Since(begun) < 5*time.Millisecond; {
						}
					}
					return l.Offload(func(context.Context) error { return nil })
				})
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	go func() { busy.Wait(); close(over) }()
	last := map[string]float64{}
	scrapes := 0
	for done := false; !done; scrapes++ {
		select {
		case <-over:
			done = true
		default:
		}
		all, err := r.Gather()
		if err != nil {
			t.Fatal(err)
		}
		for _, family := range all {
			for _, m := range family.Metric {
				if m.Counter == nil && m.Histogram == nil {
					continue
				}
				key := family.GetName()
				for _, l := range m.Label {
					key += " " + l.GetValue()
				}
				v := m.GetCounter().GetValue() + float64(m.GetHistogram().GetSampleCount())
				if v < last[key] {
					t.Fatalf("%s went down from %v to %v", key, last[key], v)
				}
				last[key] = v
			}
		}
	}
	if got := sum(t, r, "ringo_lane_wait_seconds", "lane", "offload"); got < 120 {
		t.Errorf("%v calls of Offload, there were 120", got)
	}
	t.Logf("%d scrapes", scrapes)
}

// A loop that is held for as long as the scrape takes is told of all the same.
func TestHeld(t *testing.T) {
	r := registry(t)
	cfg := ringo.Config{Loops: 1, Driver: drivers(t)[0], StallLimit: -1}
	err := ringo.Run(t.Context(), &cfg, func(l *ringo.Loop) error {
		var held sync.WaitGroup
		var tasks float64
		held.Go(func() { tasks = sum(t, r, "ringo_loop_info") })
		held.Wait() // the task holds its loop until the scrape has ended
		if tasks != 1 {
			t.Errorf("%v loops", tasks)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// The text that needs no client is what the client writes.
func TestSameText(t *testing.T) {
	cfg := ringo.Config{Loops: 1, Driver: drivers(t)[0]}
	if err := ringo.Run(t.Context(), &cfg, func(l *ringo.Loop) error { return l.Sleep(1) }); err != nil {
		t.Fatal(err)
	}
	// No loop runs: nothing counts between the two.
	own := httptest.NewRecorder()
	metrics.Handler().ServeHTTP(own, httptest.NewRequest("GET", "/", nil))
	if err := testutil.GatherAndCompare(registry(t), own.Body); err != nil {
		t.Error(err)
	}
}
