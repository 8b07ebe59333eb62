//go:build linux

package sock_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"ringo"
	"ringo/internal/test/patience"
	"ringo/sock"
)

// The kernel ends a close that lingers when its thread gets a signal, and Go's runtime sends its threads signals as it
// pleases. Close waits for the peer all the same.
func TestLingerOutlastsSignals(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		pair(t, cfg, func(l *ringo.Loop, c *sock.Conn, peer tcpPeer) {
			total := fill(t, l, c)
			if err := c.SetLinger(int(patience.Max / time.Second)); err != nil {
				t.Fatal(err)
			}
			closed := make(chan error, 1)
			l.Offload(func(context.Context) error {
				go func() { closed <- c.Close() }()
				awaitStack(t, "handle.(*Core).closeLingering.func1(")
				held := false
				err := patience.Poll(runtime.Gosched, func() bool {
					held = signalWaits(t)
					return held || len(closed) > 0
				})
				if !held {
					t.Errorf("a signal to its thread ended the close, or did not reach it: %v", err)
				}
				n, err := io.Copy(io.Discard, peer)
				if int(n) != total || err != nil {
					t.Errorf("the peer got %d bytes of %d, %v", n, total, err)
				}
				if err := <-closed; err != nil {
					t.Error(err)
				}
				return nil
			})
		})
	})
}

// signalWaits sends each thread a signal with which Go's runtime interrupts goroutines, and reports whether one of them
// does not take it.
func signalWaits(t *testing.T) bool {
	threads, err := filepath.Glob("/proc/self/task/*/status")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range threads {
		tid, _ := strconv.Atoi(filepath.Base(filepath.Dir(file)))
		unix.Tgkill(os.Getpid(), tid, unix.SIGURG) // the thread may have ended
		status, _ := os.ReadFile(file)
		var pending, blocked uint64
		for line := range bytes.Lines(status) {
			fmt.Sscanf(string(line), "SigPnd: %x", &pending)
			fmt.Sscanf(string(line), "SigBlk: %x", &blocked)
		}
		if pending&blocked&(1<<(unix.SIGURG-1)) != 0 {
			return true
		}
	}
	return false
}
