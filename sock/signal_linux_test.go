//go:build linux

package sock_test

import (
	"bytes"
	"io"
	"os"
	"runtime"
	"runtime/debug"
	"runtime/pprof"
	"sync"
	"syscall"
	"testing"
	"time"

	"ringo"
	"ringo/sock"
)

// disturbances are what the runtime and the system do to threads that wait.
var disturbances = map[string]func(t *testing.T) (stop func()){
	"SIGURG": func(t *testing.T) func() { // what the runtime preempts with, to each thread
		return whileTesting(func() {
			threads, err := os.ReadDir("/proc/self/task")
			if err != nil {
				t.Error(err)
				return
			}
			for _, thread := range threads {
				var tid int
				for _, c := range thread.Name() {
					tid = 10*tid + int(c-'0')
				}
				syscall.Tgkill(syscall.Getpid(), tid, syscall.SIGURG)
			}
			time.Sleep(50 * time.Microsecond)
		})
	},
	"SIGPROF": func(t *testing.T) func() {
		var profile bytes.Buffer
		if err := pprof.StartCPUProfile(&profile); err != nil {
			t.Fatal(err)
		}
		burn := whileTesting(func() {})
		return func() {
			burn()
			pprof.StopCPUProfile()
		}
	},
	"GC": func(t *testing.T) func() {
		old := debug.SetGCPercent(1)
		stop := whileTesting(runtime.GC)
		return func() {
			stop()
			debug.SetGCPercent(old)
		}
	},
}

// whileTesting repeats f on a goroutine until it is stopped.
func whileTesting(f func()) (stop func()) {
	quit, gone := make(chan bool), make(chan bool)
	go func() {
		defer close(gone)
		for {
			select {
			case <-quit:
				return
			default:
				f()
			}
		}
	}()
	return func() { close(quit); <-gone }
}

// Signals and collections during waits and transfers change nothing: no wait ends
// early, no byte is lost or read from memory that was collected.
func TestDisturbed(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		cfg.Buffers, cfg.BufferSize = 8, 4096
		for name, disturb := range disturbances {
			t.Run(name, func(t *testing.T) {
				s := serve(t, cfg, perConn(func(c *sock.Conn) { io.Copy(c, c) }))
				sleeper := serve(t, cfg, func(l *ringo.Loop, ln *sock.Listener) error {
					for range 3 {
						begin := time.Now()
						if err := l.Sleep(20 * time.Millisecond); err != nil ||
							time.Since(begin) < 20*time.Millisecond {
							t.Errorf("Sleep ended after %v with %v", time.Since(begin), err)
						}
					}
					c, err := ln.AcceptConn() // a wait without an end
					if err == nil {
						defer c.Close()
						wantAll(t, c, "x")
					}
					return err
				})
				stop := disturb(t)
				defer stop()
				var wg sync.WaitGroup
				for range 4 {
					peer := s.dial()
					wg.Go(func() {
						for i := range 20 { // short ones, which wait, and long ones
							echo(t, peer, 1+i)
						}
						echo(t, peer, 1<<20)
					})
				}
				wg.Wait()
				last := sleeper.dial()
				send(t, last, "x")
				if _, err := last.Read(make([]byte, 1)); err != io.EOF {
					t.Errorf("the end: %v", err)
				}
			})
		}
	})
}
