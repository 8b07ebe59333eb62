//go:build linux

package ringo_test

import (
	"context"
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"ringo"
	"ringo/internal/test/testmain"
)

// fullPipe gives both ends of a pipe that takes nothing more.
func fullPipe(t *testing.T) (r, w *os.File) {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close(); w.Close() })
	fd := int(w.Fd()) // which makes it wait
	if err := syscall.SetNonblock(fd, true); err != nil {
		t.Fatal(err)
	}
	for size := 4096; size > 0; {
		if _, err := syscall.Write(fd, make([]byte, size)); err == syscall.EAGAIN {
			size /= 2
		} else if err != nil && err != syscall.EINTR {
			t.Fatal(err)
		}
	}
	if err := syscall.SetNonblock(fd, false); err != nil {
		t.Fatal(err)
	}
	return r, w
}

func init() {
	// Has Ringo complain of all sorts of things: of too many loops, its driver, a stall, calls that wait for a slot,
	// and holds.
	children["complains"] = func() {
		cfg := small(os.Getenv("RINGO_TEST_DRIVER"))
		cfg.Loops, cfg.Offload, cfg.StallLimit = 64, 1, 20*time.Millisecond
		err := ringo.Run(context.Background(), &cfg, func(l *ringo.Loop) error {
			if l.Index() > 0 {
				return nil
			}
			var calls ringo.WaitGroup
			for range 2 {
				calls.Add(1)
				l.Go(func() {
					defer calls.Done()
					l.Offload(func(context.Context) error { time.Sleep(1500 * time.Millisecond); return nil })
				})
			}
			l.Sleep(0)
			queryUntilSeen(&testing.T{}, l)
			time.Sleep(500 * time.Millisecond)
			calls.Wait()
			return nil
		})
		fmt.Println("ended:", err)
	}
}

// A stderr that nobody reads holds up no loop and no end of Run, whatever there is to say.
func TestStderrThatNobodyReads(t *testing.T) {
	testmain.NeedLong(t, "waits 20 s for what stderr does not take; TestNoticesAreBounded has its bound")
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		_, full := fullPipe(t)
		cmd := child(t, "complains", "RINGO_TEST_DRIVER="+cfg.Driver, "RINGO_DRIVER=", "RINGO_DEBUG=driver=1,stall=2ms")
		cmd.Stderr = full
		text, err := cmd.Output()
		if err != nil || string(text) != "ended: <nil>\n" {
			t.Errorf("%v, %q", err, text)
		}
	})
}

// What stderr does not take is kept up to a bound, then dropped, and how much was is said when it takes some again.
func TestNoticesAreBounded(t *testing.T) {
	r, w := fullPipe(t)
	n := ringo.NewNotices(w)
	const each, bytes = 1000, 1024
	for i := range each {
		n.Say(fmt.Sprintf("%04d%s\n", i, strings.Repeat("x", bytes-5)))
	}
	n.Await(time.Millisecond) // nothing goes out
	over := time.Now().Add(limit)
	var said strings.Builder
	for part := make([]byte, 1<<16); !strings.Contains(said.String(), "dropped") && time.Now().Before(over); {
		k, err := r.Read(part)
		if err != nil {
			t.Fatal(err)
		}
		said.Write(part[:k])
	}
	n.Await(limit)
	text := strings.TrimLeft(said.String(), "\x00")
	kept := strings.Count(text, "x\n")
	if want := fmt.Sprintf("ringo: %d reports were dropped here", each-kept); !strings.Contains(text, want) ||
		kept*bytes > ringo.NoticesMax || kept < ringo.NoticesMax/bytes/2 {
		t.Errorf("%d of %d kept, in %d bytes, and no %q", kept, each, len(text), want)
	}
	if !strings.HasPrefix(text, "0000x") {
		t.Errorf("begins with %.100q", text)
	}
}
