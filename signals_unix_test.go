//go:build unix

package ringo_test

import (
	"errors"
	"os"
	"syscall"
	"testing"

	"ringo"
)

// raise sends a signal to this process.
func raise(t *testing.T, s syscall.Signal) {
	t.Helper()
	if err := syscall.Kill(os.Getpid(), s); err != nil {
		t.Fatal(err)
	}
}

// wantSignal fails the test if it is not s that comes next. SIGURG doesn't count: Go's runtime sends it to itself.
func wantSignal(t *testing.T, c *ringo.Chan[os.Signal], s syscall.Signal) {
	t.Helper()
	got, err := c.Recv()
	for got == syscall.SIGURG {
		got, err = c.Recv()
	}
	if got != s || err != nil {
		t.Errorf("received %v, %v, want %v", got, err, s)
	}
}

func TestSignals(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		mustRun(t, cfg, func(l *ringo.Loop) {
			c, stop := ringo.Signals(syscall.SIGUSR1, syscall.SIGWINCH)
			all, stopAll := ringo.Signals()
			waits := l.Go(func() { wantSignal(t, c, syscall.SIGUSR1) })
			l.Yield()
			raise(t, syscall.SIGUSR1)
			waits.Wait()
			wantSignal(t, all, syscall.SIGUSR1) // every listener gets it

			raise(t, syscall.SIGWINCH)
			wantSignal(t, all, syscall.SIGWINCH)
			wantSignal(t, c, syscall.SIGWINCH)
			waits = l.Go(func() {
				if got, err := c.Recv(); !errors.Is(err, ringo.ErrClosed) {
					t.Errorf("received %v, %v after stop, want ErrClosed", got, err)
				}
			})
			l.Yield()
			stop()
			stop()
			waits.Wait()
			raise(t, syscall.SIGWINCH)
			wantSignal(t, all, syscall.SIGWINCH) // the others go on
			stopAll()
		})
	})
}

// A burst of one signal leaves room for the others, and is received once.
func TestSignalsOfAKind(t *testing.T) {
	c := ringo.NewChan[os.Signal](4)
	for range 2 {
		for _, s := range []os.Signal{syscall.SIGHUP, syscall.SIGTERM, syscall.SIGHUP} {
			for range 10 {
				ringo.SendSignal(c, s)
			}
		}
		if c.Len() != 2 {
			t.Fatalf("%d signals wait, want one of each kind", c.Len())
		}
		wantSignal(t, c, syscall.SIGHUP)
		ringo.SendSignal(c, syscall.SIGHUP)
		wantSignal(t, c, syscall.SIGTERM)
		wantSignal(t, c, syscall.SIGHUP)
	}
}
