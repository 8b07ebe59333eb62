//go:build linux

package sock_test

import (
	"context"
	"fmt"
	"net"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"ringo"
	"ringo/sock"
)

// How many Ps a program with loops needs. Run raises GOMAXPROCS by the number of loops; these benchmarks undo that and
// try other numbers. docs/adr/0004-gomaxprocs.md quotes them.
//
//	go test ./sock -run '^$' -bench Procs

// withProcs runs body as an ordinary goroutine beside idle loops, with GOMAXPROCS set to procs; 0 leaves it as Run
// does.
func withProcs(b *testing.B, loops, procs int, first func(l *ringo.Loop) error, body func()) {
	b.Helper()
	before := runtime.GOMAXPROCS(0)
	defer runtime.GOMAXPROCS(before)
	ctx, cancel := context.WithCancel(context.Background())
	up := make(chan struct{}, loops)
	ended := make(chan error, 1)
	go func() {
		ended <- ringo.Run(ctx, &ringo.Config{Loops: loops, Grace: -1}, func(l *ringo.Loop) error {
			up <- struct{}{}
			return first(l)
		})
	}()
	for range loops {
		select {
		case <-up:
		case err := <-ended:
			b.Fatal(err)
		}
	}
	if procs != 0 {
		runtime.GOMAXPROCS(procs)
	}
	body()
	cancel()
	if err := <-ended; err != nil {
		b.Error(err)
	}
}

// report gives quantiles of what the benchmark measured by itself.
func report(b *testing.B, took []time.Duration) {
	slices.Sort(took)
	us := func(d time.Duration) float64 { return float64(d) / 1e3 }
	b.ReportMetric(us(took[len(took)/2]), "p50-µs")
	b.ReportMetric(us(took[len(took)*9/10]), "p90-µs")
	b.ReportMetric(us(took[len(took)*99/100]), "p99-µs")
}

func eachProcs(b *testing.B, run func(b *testing.B, loops, procs int)) {
	for _, loops := range []int{1, 2} {
		for _, procs := range slices.Compact([]int{loops, loops + 1, 2 * loops, runtime.NumCPU() + loops}) {
			b.Run(fmt.Sprintf("loops=%d/procs=%d", loops, procs), func(b *testing.B) { run(b, loops, procs) })
		}
	}
}

// BenchmarkProcsOffload is a task that hands a call to a goroutine and sleeps in the kernel until it is done: the
// goroutine was made by the thread that goes to sleep, and needs a P that another thread finds.
func BenchmarkProcsOffload(b *testing.B) {
	eachProcs(b, func(b *testing.B, loops, procs int) {
		var took []time.Duration
		start, done := make(chan struct{}), make(chan struct{})
		withProcs(b, loops, procs, func(l *ringo.Loop) error {
			if l.Index() != 0 {
				return l.Sleep(time.Hour)
			}
			l.Offload(func(context.Context) error { <-start; return nil })
			defer close(done)
			for b.Loop() {
				begin := time.Now()
				if err := l.Offload(func(context.Context) error { return nil }); err != nil {
					return err
				}
				took = append(took, time.Since(begin))
			}
			return nil
		}, func() { close(start); <-done })
		report(b, took)
	})
}

// BenchmarkProcsPingPong is two goroutines that wake each other beside loops that do nothing: loops which sleep for
// long have lost their Ps, and cost nobody anything.
func BenchmarkProcsPingPong(b *testing.B) {
	eachProcs(b, func(b *testing.B, loops, procs int) {
		withProcs(b, loops, procs, func(l *ringo.Loop) error { return l.Sleep(time.Hour) }, func() {
			ping, pong := make(chan struct{}), make(chan struct{})
			go func() {
				for range ping {
					pong <- struct{}{}
				}
				close(pong)
			}()
			for b.Loop() {
				ping <- struct{}{}
				<-pong
			}
			close(ping)
			<-pong
		})
	})
}

// BenchmarkProcsEcho is goroutines, a connection each, that talk to a server on loops of the same process.
func BenchmarkProcsEcho(b *testing.B) {
	for _, conns := range []int{1, 16} {
		b.Run(fmt.Sprintf("conns=%d", conns), func(b *testing.B) {
			eachProcs(b, func(b *testing.B, loops, procs int) { procsEcho(b, conns, loops, procs) })
		})
	}
}

func procsEcho(b *testing.B, conns, loops, procs int) {
	set, err := sock.Reserve("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	defer set.Close()
	serve := &sock.Handler{Request: func(c *sock.Conn) error {
		p, _ := c.Peek(c.Buffered())
		_, err := c.Write(p)
		c.Discard(len(p))
		return err
	}}
	var left atomic.Int64
	took := make([][]time.Duration, conns)
	withProcs(b, loops, procs, func(l *ringo.Loop) error {
		ln, err := set.Listen(l)
		if err != nil {
			return err
		}
		return sock.Serve(l, ln, serve)
	}, func() {
		clients := make([]net.Conn, conns)
		for i := range clients {
			if clients[i], err = net.Dial("tcp", set.Addr().String()); err != nil {
				b.Fatal(err)
			}
			defer clients[i].Close()
		}
		b.ResetTimer()
		left.Store(int64(b.N))
		var wg sync.WaitGroup
		for i, c := range clients {
			wg.Go(func() {
				p := make([]byte, 64)
				for left.Add(-1) >= 0 {
					begin := time.Now()
					if _, err := c.Write(p); err != nil {
						b.Error(err)
						return
					}
					if _, err := c.Read(p); err != nil {
						b.Error(err)
						return
					}
					took[i] = append(took[i], time.Since(begin))
				}
			})
		}
		wg.Wait()
		b.StopTimer()
	})
	report(b, slices.Concat(took...))
}
