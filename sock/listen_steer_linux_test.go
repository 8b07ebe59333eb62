//go:build linux

package sock_test

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"ringo"
	"ringo/internal/sys"
	"ringo/internal/test/patience"
	"ringo/internal/test/socktest"
	"ringo/sock"
)

// on runs fn on a thread that is bound to a CPU.
func on(t *testing.T, cpu int, fn func()) {
	t.Helper()
	done := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // and the thread ends with the goroutine
		set := new(unix.CPUSet)
		set.Set(cpu)
		err := unix.SchedSetaffinity(0, set)
		if err == nil {
			fn()
		}
		done <- err
	}()
	patience.Within("a client on its CPU", func() {
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

// A client on a CPU comes to the loop that is bound to that CPU, on the loopback, where the packet arrives on the CPU
// of its sender; also when listeners have closed and listen again, in another order.
func TestSteerCPU(t *testing.T) {
	t.Parallel()
	cpus, err := sys.CPUs(0)
	if err != nil {
		t.Fatal(err)
	}
	if len(cpus) < 2 {
		t.Skipf("the process may use %d CPU, of two loops each needs one", len(cpus))
	}
	if rps, err := os.ReadFile("/sys/class/net/lo/queues/rx-0/rps_cpus"); strings.Trim(string(rps), "0,\n") != "" {
		t.Skipf("the loopback's packets are given to CPUs %s, %v", rps, err)
	}
	socktest.EachDriver(t, func(t *testing.T, cfg ringo.Config) {
		cfg.Loops, cfg.Place = min(len(cpus), 4), ringo.PerCPU
		set, err := (&sock.ListenConfig{SteerCPU: true}).Reserve("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer set.Close()
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		ready, done := make(chan int, cfg.Loops), make(chan error, 1)
		serve := func(l *ringo.Loop) error {
			ln, err := set.Listen(l)
			if err != nil {
				return err
			}
			ready <- l.Info().CPUs[0]
			for {
				c, err := ln.AcceptConn()
				if err != nil {
					return nil // the drain
				}
				p := make([]byte, 1)
				io.ReadFull(c, p)
				if p[0] == 'r' {
					ln.Close()
					if ln, err = set.Listen(l); err != nil {
						return err
					}
				}
				c.Write([]byte{byte(l.Info().CPUs[0])})
				c.Close()
			}
		}
		go func() { done <- ringo.Run(ctx, &cfg, serve) }()
		var bound []int
		for range cfg.Loops {
			patience.Within("all loops", func() {
				select {
				case cpu := <-ready:
					bound = append(bound, cpu)
				case err := <-done:
					t.Errorf("Run() = %v, too early", err)
				}
			})
		}
		ask := func(cpu int, p byte) {
			on(t, cpu, func() {
				c, err := net.Dial("tcp", set.Addr().String())
				if err != nil {
					t.Error(err)
					return
				}
				defer c.Close()
				c.SetDeadline(patience.Deadline())
				c.Write([]byte{p})
				got := make([]byte, 1)
				if _, err := io.ReadFull(c, got); err != nil || int(got[0]) != cpu {
					t.Errorf("a client on CPU %d came to the loop on CPU %d, %v", cpu, got[0], err)
				}
			})
		}
		for _, again := range append([]int{-1}, bound...) {
			if again >= 0 {
				ask(again, 'r')
			}
			for range 4 {
				for _, cpu := range bound {
					ask(cpu, 'x')
				}
			}
		}
		cancel()
		patience.Within("the Run's end", func() { err = <-done })
		if err != nil {
			t.Errorf("Run() = %v", err)
		}
	})
}

// Where connections can't go by the CPU, it says so.
func TestSteerCPURefuses(t *testing.T) {
	t.Parallel()
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		onLoop(t, cfg, func(l *ringo.Loop) {
			lc := &sock.ListenConfig{SteerCPU: true}
			if ln, err := lc.Listen(l, "tcp", "127.0.0.1:0"); !errors.Is(err, errors.ErrUnsupported) {
				t.Errorf("Listen() = %v, %v", ln, err)
			}
			set, err := lc.Reserve("tcp", "127.0.0.1:0")
			if socktest.InWorld() {
				if !errors.Is(err, errors.ErrUnsupported) {
					t.Errorf("Reserve() = %v, %v", set, err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			defer set.Close()
			if ln, err := set.Listen(l); !errors.Is(err, errors.ErrUnsupported) {
				t.Errorf("Listen() of a loop that is not bound = %v, %v", ln, err)
			}
			for name, lc := range map[string]*sock.ListenConfig{
				"Balance": {SteerCPU: true, Balance: true}, "OneSocket": {SteerCPU: true, OneSocket: true},
				"AllowShared": {SteerCPU: true, AllowShared: true},
			} {
				if set, err := lc.Reserve("tcp", "127.0.0.1:0"); err == nil {
					t.Errorf("Reserve() with %s = %v", name, set)
				}
			}
			if set, err := lc.Reserve("unix", socketPath(t)); !errors.Is(err, errors.ErrUnsupported) {
				t.Errorf("Reserve() of a Unix socket = %v, %v", set, err)
			}
			other, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer other.Close()
			if set, err := lc.AdoptSet(other); !errors.Is(err, errors.ErrUnsupported) {
				t.Errorf("AdoptSet() = %v, %v", set, err)
			}
		})
	})
}
