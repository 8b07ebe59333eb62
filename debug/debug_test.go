package debug_test

import (
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"ringo"
	"ringo/debug"
	"ringo/internal/test/socktest"
)

// console serves the console on goroutines.
func console(t *testing.T) *httptest.Server {
	t.Helper()
	mux := http.NewServeMux()
	mux.Handle("/debug/ringo/", debug.Handler())
	s := httptest.NewServer(mux)
	t.Cleanup(s.Close)
	return s
}

// fetch gives the answer to a GET, and its status.
func fetch(t *testing.T, url string, to any) int {
	t.Helper()
	r, err := http.Get(url)
	if err != nil {
		t.Error(err)
		return 0
	}
	defer r.Body.Close()
	text, err := io.ReadAll(r.Body)
	if err == nil && to != nil {
		err = json.Unmarshal(text, to)
	}
	if err != nil {
		t.Errorf("%s: %v in %.200s", url, err, text)
	}
	return r.StatusCode
}

// onGoroutine runs f beside a loop, while its first task waits.
func onGoroutine(t *testing.T, cfg ringo.Config, f func(l *ringo.Loop)) {
	t.Helper()
	socktest.OnLoop(t, cfg, func(l *ringo.Loop) {
		if err := l.Offload(func(context.Context) error { f(l); return nil }); err != nil {
			t.Error(err)
		}
	})
}

// The handler only reads, says so, and sends a page that can load nothing from elsewhere.
func TestHandlerOnlyReads(t *testing.T) {
	h := debug.Handler()
	for _, c := range []struct {
		method, path, site string
		code               int
	}{
		{"GET", "/", "", 200}, {"HEAD", "/", "", 200}, {"GET", "/x/y/", "", 200}, {"GET", "/x/console.js", "", 200},
		{"GET", "/x/console.css", "", 200}, {"GET", "/x/api/loops", "", 200}, {"GET", "/api/tasks", "same-origin", 200},
		{"GET", "/api/tasks", "none", 200}, {"GET", "/api/tasks", "cross-site", 403},
		{"GET", "/api/tasks", "same-site", 403}, {"GET", "/", "cross-site", 200},
		{"POST", "/", "", 405}, {"PUT", "/api/loops", "", 405}, {"DELETE", "/api/tasks", "", 405},
		{"OPTIONS", "/api/tasks", "", 405}, {"GET", "/api/", "", 404}, {"GET", "/loops", "", 404},
		{"GET", "/api/none", "", 404}, {"GET", "/api/tasks/", "", 404}, {"GET", "/x/api/probe/", "", 404},
		{"GET", "/api/loops/console.js", "", 404}, {"GET", "/x/tasks/", "", 200},
		{"GET", "/page/index.html", "", 404}, {"GET", "/api/console.js", "", 404},
	} {
		r := httptest.NewRequest(c.method, c.path, nil)
		if c.site != "" {
			r.Header.Set("Sec-Fetch-Site", c.site)
		}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code != c.code {
			t.Errorf("%s %s from %q: %d, want %d", c.method, c.path, c.site, w.Code, c.code)
		}
		if p := w.Header().Get("Content-Security-Policy"); !strings.HasPrefix(p, "default-src 'none'; ") ||
			strings.Contains(p, "unsafe") {
			t.Errorf("%s %s: policy %q", c.method, c.path, p)
		}
		if c.code == 405 && w.Header().Get("Allow") != "GET, HEAD" {
			t.Errorf("%s %s allows %q", c.method, c.path, w.Header().Get("Allow"))
		}
	}
}

// Over loopback nobody is answered who asks for another site's name, whatever address that stands for.
func TestHandlerOnLoopbackIsOfThisMachine(t *testing.T) {
	s := console(t)
	for host, code := range map[string]int{
		"": 200, "127.0.0.1:6060": 200, "localhost:6060": 200, "LOCALHOST": 200, "localhost.": 200, "[::1]:6060": 200,
		"10.0.0.5": 200, "box.localhost:1": 200, "evil.example": 421, "evil.example:6060": 421,
		"127.0.0.1.evil.example": 421, "localhost.evil.example:6060": 421, "notlocalhost": 421, "::1.evil.example": 421,
	} {
		for _, path := range []string{"", "console.js", "api/loops", "api/tasks"} {
			r, err := http.NewRequest("GET", s.URL+"/debug/ringo/"+path, nil)
			if err != nil {
				t.Fatal(err)
			}
			r.Host = host // or that of the URL
			a, err := http.DefaultClient.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			a.Body.Close()
			if a.StatusCode != code {
				t.Errorf("%s for %q: %d, want %d", path, host, a.StatusCode, code)
			}
		}
	}
	http.DefaultClient.CloseIdleConnections()
	r := httptest.NewRequest("GET", "/api/loops", nil) // for evil.example, but not over loopback
	r.Host = "evil.example"
	at := &net.TCPAddr{IP: net.IPv4(10, 0, 0, 5), Port: 6060}
	w := httptest.NewRecorder()
	debug.Handler().ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), http.LocalAddrContextKey, at)))
	if w.Code != 200 {
		t.Errorf("over %v: %d", at, w.Code)
	}
}

// What the query says is checked, and an error says what is wrong.
func TestHandlerRefusesQueries(t *testing.T) {
	socktest.EachDriver(t, func(t *testing.T, cfg ringo.Config) {
		onGoroutine(t, cfg, func(l *ringo.Loop) {
			s := console(t)
			for _, c := range []struct {
				path string
				code int
			}{
				{"tasks?n=0", 200}, {"tasks?n=1000", 200}, {"tasks?n=1001", 400}, {"tasks?n=-1", 400},
				{"tasks?n=x", 400},
				{"tasks?sort=age", 200}, {"tasks?sort=-age", 200}, {"tasks?sort=nothing", 400}, {"tasks?sort=fd", 400},
				{"handles?sort=fd", 200}, {"handles?sort=--fd", 400}, {"ops?sort=bytes", 200}, {"ops?sort=age", 400},
				{"tasks?filter=%00%ff", 200}, {"tasks?filter=" + strings.Repeat("x", 201), 400}, {"tasks?n=1&n=2", 400},
				{"tasks?loop=0.0", 400}, {"loops?n=1", 400}, {"probe?x=1", 400}, {"tasks?%zz", 400}, {"holds?n=1", 400},
			} {
				var a map[string]any
				code := fetch(t, s.URL+"/debug/ringo/api/"+c.path, &a)
				if code != c.code {
					t.Errorf("%s: %d, want %d: %v", c.path, code, c.code, a)
				}
				if text, _ := a["error"].(string); (text == "") != (c.code == 200) {
					t.Errorf("%s: the error is %q", c.path, text)
				}
			}
		})
	})
}

// parkedTasks gives a loop on which so many tasks wait, which ends with the test.
func parkedTasks(t testing.TB, n int) *ringo.Loop {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ended, ready := make(chan error, 1), make(chan *ringo.Loop)
	go func() {
		ended <- ringo.Run(ctx, &ringo.Config{Loops: 1, Grace: -1}, func(l *ringo.Loop) error {
			for range n {
				l.GoNamed("parked", func() { l.Sleep(time.Hour) })
			}
			l.Yield()
			ready <- l
			return nil
		})
	}()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return <-ready
}

// A task that asks parks meanwhile, whatever it asks for, and is told all the same if it has been cancelled.
func TestTasksAsk(t *testing.T) {
	h := debug.Handler()
	socktest.OnLoop(t, ringo.Config{Loops: 1}, func(l *ringo.Loop) {
		for _, canceled := range []bool{false, true} {
			asks := l.Go(func() {
				for _, what := range []string{"loops", "tasks", "handles", "ops", "holds", "probe"} {
					ran := false
					l.Go(func() { ran = true })
					w := httptest.NewRecorder()
					h.ServeHTTP(w, httptest.NewRequest("GET", "/api/"+what, nil))
					var answer map[string]any
					if err := json.Unmarshal(w.Body.Bytes(), &answer); w.Code != 200 || err != nil {
						t.Errorf("%s: %d, %v in %.200q", what, w.Code, err, w.Body)
					}
					if !ran {
						t.Errorf("%s: its task did not park", what)
					}
				}
			})
			if canceled {
				asks.Cancel()
			}
			asks.Wait()
		}
	})
}
