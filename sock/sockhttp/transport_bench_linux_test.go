//go:build linux

package sockhttp_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"

	"ringo"
	"ringo/internal/measure"
	"ringo/sock/sockhttp"
)

// serverEnv makes TestTransportServer the server of the benchmark, in a process of its own.
const serverEnv = "RINGO_TEST_TRANSPORT_SERVER"

// TestTransportServer serves until its standard input ends.
func TestTransportServer(t *testing.T) {
	if os.Getenv(serverEnv) == "" {
		t.Skip("it is a part of BenchmarkTransport")
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	fmt.Printf("at %s\n", ln.Addr())
	h := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "Hello, world!") })
	s := &http.Server{Handler: h, Protocols: clear2()}
	go s.Serve(ln)
	io.Copy(io.Discard, os.Stdin)
}

// serveApart begins the server, and returns its URL.
func serveApart(b *testing.B) string {
	cmd := exec.Command(os.Args[0], "-test.run=^TestTransportServer$", "-test.v")
	cmd.Env = append(os.Environ(), serverEnv+"=1")
	in, err := cmd.StdinPipe()
	if err != nil {
		b.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		in.Close()
		io.Copy(io.Discard, out)
		cmd.Wait()
	})
	for lines := bufio.NewScanner(out); lines.Scan(); {
		if addr, ok := strings.CutPrefix(lines.Text(), "at "); ok {
			return "http://" + addr
		}
	}
	b.Fatal("the server has not begun")
	return ""
}

// BenchmarkTransport is what a GET of 13 bytes on a kept connection, or on a stream of one, costs the client, from its
// process's CPU time: by goroutines with net/http's Transport, and by tasks of one loop with this one. Each round has
// both, in turn. The figures are medians.
func BenchmarkTransport(b *testing.B) {
	url := serveApart(b)
	for _, c := range []struct {
		name      string
		callers   int
		protocols *http.Protocols
	}{{"conns=1", 1, nil}, {"conns=64", 64, nil}, {"streams=1", 1, prior2()}, {"streams=64", 64, prior2()}} {
		b.Run(c.name, func(b *testing.B) {
			const each = 4000
			callers := c.callers
			std := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: callers, Protocols: c.protocols}}
			own := &http.Client{Transport: &sockhttp.Transport{MaxIdleConnsPerHost: callers, Protocols: c.protocols}}
			get := func(c *http.Client) {
				for range each / callers {
					a, err := c.Get(url)
					if err != nil {
						b.Error(err)
						return
					}
					io.Copy(io.Discard, a.Body)
					a.Body.Close()
				}
			}
			cost := func(f func()) float64 {
				before, err := measure.CPU(os.Getpid())
				if err != nil {
					b.Fatal(err)
				}
				f()
				after, _ := measure.CPU(os.Getpid())
				return float64((after - before).Nanoseconds()) / 1000 / each
			}
			err := ringo.Run(b.Context(), &ringo.Config{Loops: 1}, func(l *ringo.Loop) error {
				var goroutines, tasks, ratios []float64
				round := func() (net, ours float64) {
					l.Offload(func(context.Context) error {
						net = cost(func() {
							var all sync.WaitGroup
							for range callers {
								all.Go(func() { get(std) })
							}
							all.Wait()
						})
						return nil
					})
					ours = cost(func() {
						var all ringo.WaitGroup
						for range callers {
							all.Go(func() { get(own) })
						}
						all.Wait()
					})
					return net, ours
				}
				round()
				for b.Loop() {
					net, ours := round()
					goroutines, tasks = append(goroutines, net), append(tasks, ours)
					ratios = append(ratios, net/ours)
				}
				median := func(v []float64) float64 { slices.Sort(v); return v[len(v)/2] }
				b.ReportMetric(median(goroutines), "net-µs/req")
				b.ReportMetric(median(tasks), "task-µs/req")
				b.ReportMetric(median(ratios), "ratio")
				own.CloseIdleConnections()
				return nil
			})
			if err != nil {
				b.Fatal(err)
			}
			std.CloseIdleConnections()
		})
	}
}
