//go:build linux

package main

import (
	"bufio"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"ringo/internal/test/patience"
	"ringo/internal/test/socktest"
)

// scrape gives what /metrics has, by name and labels, and that with which it begins.
func (p *process) scrape() (values map[string]float64) {
	p.t.Helper()
	a, err := http.Get(strings.TrimPrefix(p.line("metrics "), "metrics "))
	if err != nil {
		p.t.Fatal(err)
	}
	text, err := io.ReadAll(a.Body)
	a.Body.Close()
	if err != nil || a.StatusCode != http.StatusOK {
		p.t.Fatalf("%s, %v", a.Status, err)
	}
	http.DefaultClient.CloseIdleConnections()
	values, kinds := map[string]float64{}, map[string]string{}
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSpace(line)
		if rest, ok := strings.CutPrefix(line, "# TYPE "); ok {
			name, kind, _ := strings.Cut(rest, " ")
			if kinds[name] != "" {
				p.t.Errorf("%s is there twice", name)
			}
			kinds[name] = kind
			continue
		} else if strings.HasPrefix(line, "#") {
			continue
		}
		at := strings.LastIndexByte(line, ' ')
		name, _, _ := strings.Cut(line[:at], "{")
		for _, suffix := range []string{"_bucket", "_sum", "_count"} {
			if base := strings.TrimSuffix(name, suffix); kinds[base] == "histogram" {
				name = base
			}
		}
		v, err := strconv.ParseFloat(line[at+1:], 64)
		if _, again := values[line[:at]]; again || err != nil || kinds[name] == "" {
			p.t.Errorf("%s: %v; there before: %v", line, err, again)
		}
		values[line[:at]] = v
	}
	return values
}

// wantMetrics wants values of the proxy's metrics; UP in their labels is an upstream.
func wantMetrics(t *testing.T, got map[string]float64, up string, want map[string]float64) {
	t.Helper()
	for name, v := range want {
		name = "ringo_proxy_" + strings.ReplaceAll(name, "UP", `upstream="`+up+`"`)
		if now, ok := got[name]; !ok || now != v {
			t.Errorf("%s is %v, want %v", name, now, v)
		}
	}
	if t.Failed() {
		for _, name := range slices.Sorted(maps.Keys(got)) {
			if strings.HasPrefix(name, "ringo_proxy") {
				t.Log(name, got[name])
			}
		}
	}
}

// wantBounded wants as many series as before.
func wantBounded(t *testing.T, before, after map[string]float64) {
	t.Helper()
	own := func(all map[string]float64) (names []string) {
		for _, name := range slices.Sorted(maps.Keys(all)) {
			if strings.HasPrefix(name, "ringo_proxy_") {
				names = append(names, name)
			}
		}
		return names
	}
	if a, b := own(before), own(after); !slices.Equal(a, b) || len(a) == 0 {
		t.Errorf("there were the series\n%s\nand now there are\n%s", strings.Join(a, "\n"), strings.Join(b, "\n"))
	}
	if after[`ringo_loop_turn_seconds_count{loop="0",run="0"}`] == 0 {
		t.Error("the loops' metrics are missing")
	}
}

// TestProxyMetrics: connections, their bytes and ends are counted, by upstream.
func TestProxyMetrics(t *testing.T) {
	eachDriver(t, func(t *testing.T, driver string) {
		gone := "unix://" + filepath.Join(t.TempDir(), `go"ne`)
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		up := "tcp://" + ln.Addr().String()
		backend(t, ln, func(c net.Conn) {
			one := make([]byte, 1)
			switch io.ReadFull(c, one); one[0] {
			case 'r':
				c.(*net.TCPConn).SetLinger(0)
				return
			case 0:
				return
			}
			c.Write([]byte("hello"))
			io.Copy(io.Discard, c)
		})
		p, addr := startProxyTo(t, up, "-to", gone, "-driver", driver, "-metrics", "0", "-fall", "1", "-out", "1h",
			"-log", "stderr")
		before := p.scrape()
		label := `{upstream="` + up + `"}`
		var base map[string]float64
		for dials := 1.0; !p.says("upstream " + gone + " is out"); dials++ {
			dial(t, addr).Close()
			socktest.Eventually(t, "the connection to be over", func() bool {
				base = p.scrape()
				return base["ringo_proxy_duration_seconds_count"+label] == dials
			})
		}
		for _, text := range []string{"r", "abc"} {
			c := dial(t, addr)
			io.WriteString(c, text)
			c.CloseWrite()
			io.Copy(io.Discard, c)
			c.Close()
		}
		c := dial(t, addr)
		io.WriteString(c, "x")
		io.ReadFull(c, make([]byte, 5))
		var after map[string]float64
		socktest.Eventually(t, "the ends to be counted", func() bool {
			after = p.scrape()
			over := after["ringo_proxy_duration_seconds_count"+label] - base["ringo_proxy_duration_seconds_count"+label]
			return over == 2 && after["ringo_proxy_in_flight"+label] == 1
		})
		wantBounded(t, before, after)
		wantMetrics(t, after, up, map[string]float64{
			"up{UP}": 1, "in_flight{UP}": 1, "waiting": 0, "retries_total": 1, "log_dropped_lines_total": 0,
			`failures_total{cause="reset",UP}`: 1, `failures_total{cause="dial",UP}`: 0,
			"received_bytes_total{UP}": 4, "sent_bytes_total{UP}": 5,
		})
		wantMetrics(t, after, strings.ReplaceAll(gone, `"`, `\"`), map[string]float64{"up{UP}": 0,
			`failures_total{cause="dial",UP}`: 1, "connections_total{UP}": 0})
		if n := after["ringo_proxy_connections_total"+label] - base["ringo_proxy_connections_total"+label]; n != 3 {
			t.Errorf("%v connections, want 3", n)
		}
		c.Close()
		p.finish()
	})
}

// TestProxyHTTPMetrics: requests are counted by what the client got, and what fails by its cause.
func TestProxyHTTPMetrics(t *testing.T) {
	eachDriver(t, func(t *testing.T, driver string) {
		p, addr, back := startWeb(t, func(w http.ResponseWriter, r *http.Request) {
			io.Copy(io.Discard, r.Body)
			switch status, _ := strconv.Atoi(r.URL.Path[1:]); {
			case status > 0:
				w.WriteHeader(status)
				io.WriteString(w, "12345")
			default:
				w.Header().Set("Content-Length", "5")
				io.WriteString(w, "123")
				http.NewResponseController(w).Flush()
				panic(http.ErrAbortHandler)
			}
		}, "-driver", driver, "-metrics", "0", "-loops", "1")
		before := p.scrape()
		for _, path := range []string{"/200", "/201", "/404", "/503", "/torn"} {
			postOnce(t, addr, path)
		}
		c := dial(t, addr)
		io.WriteString(c, "nonsense\r\n\r\n")
		io.Copy(io.Discard, c)
		up := "tcp://" + back.Listener.Addr().String()
		var after map[string]float64
		socktest.Eventually(t, "the ends to be counted", func() bool {
			after = p.scrape()
			return after[fmt.Sprintf(`ringo_proxy_duration_seconds_count{upstream="%s"}`, up)] == 5
		})
		wantBounded(t, before, after)
		wantMetrics(t, after, up, map[string]float64{
			`requests_total{class="2xx",UP}`: 3, `requests_total{class="4xx",UP}`: 1,
			`requests_total{class="5xx",UP}`: 1, `requests_total{class="4xx",upstream=""}`: 1,
			`failures_total{cause="timeout",UP}`: 0, `failures_total{cause="reset",UP}`: 1,
			`failures_total{cause="dial",UP}`: 0, "in_flight{UP}": 0, "up{UP}": 1,
			"received_bytes_total{UP}": 15, "sent_bytes_total{UP}": 23, "first_byte_seconds_count{UP}": 5,
			`first_byte_seconds_bucket{UP,le="+Inf"}`: 5, "retries_total": 0,
		})
		p.finish()
	})
}

// TestProxyHTTPMetricsLate: an answer that is late counts as the proxy's own, and as no first byte of the upstream.
func TestProxyHTTPMetricsLate(t *testing.T) {
	eachDriver(t, func(t *testing.T, driver string) {
		p, addr, back := startWeb(t, func(w http.ResponseWriter, r *http.Request) {
			io.Copy(io.Discard, r.Body)
			<-r.Context().Done()
		}, "-driver", driver, "-metrics", "0", "-answer", "50ms", "-loops", "1")
		postOnce(t, addr, "/")
		up := "tcp://" + back.Listener.Addr().String()
		var after map[string]float64
		socktest.Eventually(t, "the end to be counted", func() bool {
			after = p.scrape()
			return after[fmt.Sprintf(`ringo_proxy_duration_seconds_count{upstream="%s"}`, up)] == 1
		})
		wantMetrics(t, after, up, map[string]float64{
			`requests_total{class="5xx",UP}`: 1, `failures_total{cause="timeout",UP}`: 1,
			`failures_total{cause="reset",UP}`: 0, "in_flight{UP}": 0, "up{UP}": 1, "received_bytes_total{UP}": 3,
			"sent_bytes_total{UP}": 0, "first_byte_seconds_count{UP}": 0, "retries_total": 0,
		})
		p.finish()
	})
}

// postOnce posts three bytes by a connection of its own, and waits for what comes.
func postOnce(t *testing.T, addr, path string) {
	t.Helper()
	c := dial(t, addr)
	defer c.Close()
	io.WriteString(c, "POST "+path+" HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc")
	readAnswer(bufio.NewReader(c), "POST")
}

// TestProxyHTTPMetricsOfClients: what a client breaks off is no failure of an upstream.
func TestProxyHTTPMetricsOfClients(t *testing.T) {
	eachDriver(t, func(t *testing.T, driver string) {
		came := make(chan struct{}, 1)
		p, addr, back := startWeb(t, func(w http.ResponseWriter, r *http.Request) {
			came <- struct{}{}
			io.Copy(io.Discard, r.Body)
		}, "-driver", driver, "-metrics", "0")
		for _, text := range []string{"GET / HTTP/1.1\r\nHost: h\r\n\r\n",
			"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n",
			"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nno chunk\r\n"} {
			c := dial(t, addr)
			io.WriteString(c, text)
			patience.Recv(t, "the request", came)
			if strings.Contains(text, "no chunk") {
				readAnswer(bufio.NewReader(c), "POST") // which comes before its end does
			}
			c.Close()
		}
		up := "tcp://" + back.Listener.Addr().String()
		var after map[string]float64
		socktest.Eventually(t, "the ends to be counted", func() bool {
			after = p.scrape()
			return after[fmt.Sprintf(`ringo_proxy_duration_seconds_count{upstream="%s"}`, up)] == 3
		})
		wantMetrics(t, after, up, map[string]float64{`failures_total{cause="timeout",UP}`: 0,
			`failures_total{cause="reset",UP}`: 0, `failures_total{cause="dial",UP}`: 0, "received_bytes_total{UP}": 6})
		p.finish()
	})
}

// TestMetrics: all servers have the loops' metrics, and say where.
func TestMetrics(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, args := range [][]string{{"echo"}, {"serve", dir}, {"proxy", "-to", "127.0.0.1:1"}} {
		args = slices.Insert(args, 1, "-listen", anyPort, "-metrics", "0", "-loops", "1")
		p := start(t, tool(t, args...))
		p.addr()
		if all := p.scrape(); all[`ringo_loop_turn_seconds_count{loop="0",run="0"}`] == 0 {
			t.Errorf("%v: %d values", args, len(all))
		}
		p.finish()
	}
}
