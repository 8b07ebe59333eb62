//go:build linux

package ringo_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"ringo"
	"ringo/debug"
	"ringo/event"
	"ringo/metrics"
	"ringo/sock"
)

func init() {
	// Has worked and rests, until a line comes in: with listeners of both sorts, connections on which nothing comes,
	// tasks that wait for others, and a console and metrics that somebody has looked at.
	children["rest"] = func() {
		cfg := small(os.Getenv("RINGO_TEST_DRIVER"))
		cfg.Loops, cfg.Grace = 2, -1
		ctx, end := context.WithCancel(context.Background())
		var loops sync.WaitGroup
		loops.Add(cfg.Loops)
		go func() {
			loops.Wait()
			for _, path := range []string{"/", "/api/loops", "/api/tasks", "/api/holds"} {
				debug.Handler().ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", path, nil))
			}
			metrics.Handler().ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/", nil))
			fmt.Println("rests with GOMAXPROCS", runtime.GOMAXPROCS(0))
			bufio.NewReader(os.Stdin).ReadString('\n')
			end()
		}()
		err := ringo.Run(ctx, &cfg, func(l *ringo.Loop) error {
			ln, err := sock.Listen(l, "tcp", "127.0.0.1:0")
			if err != nil {
				return err
			}
			if _, err := event.On(l).Listen("tcp", "127.0.0.1:0", event.Base{}); err != nil {
				return err
			}
			dialed, err := sock.Dial(l, "tcp", ln.Addr().String())
			if err != nil {
				return err
			}
			accepted, err := ln.Accept()
			if err != nil {
				return err
			}
			for _, c := range []net.Conn{dialed, accepted} {
				l.Go(func() { c.Read(make([]byte, 1)) })
			}
			var mu ringo.Mutex
			mu.Lock()
			l.Go(func() { mu.LockContext(l.Context()) })
			l.Go(func() { l.Sleep(time.Hour) })
			l.Offload(func(context.Context) error { return nil })
			time.Sleep(20 * time.Millisecond) // a hold, behind which the loop is looked at often
			loops.Done()
			_, err = ln.Accept()
			return err
		})
		if err != nil && !errors.Is(err, context.Canceled) {
			fmt.Println(err)
		}
	}
}

// A process whose loops sleep is at rest: nobody looks at them meanwhile.
func TestRest(t *testing.T) {
	t.Parallel()
	const (
		span  = time.Second
		spans = 40 // at the most, until one is at rest
		wakes = 2  // in a span
	)
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		cmd := child(t, "rest", "RINGO_TEST_DRIVER="+cfg.Driver, "RINGO_DRIVER=")
		in, err1 := cmd.StdinPipe()
		out, err2 := cmd.StdoutPipe()
		if err := errors.Join(err1, err2, cmd.Start()); err != nil {
			t.Fatal(err)
		}
		line, _ := bufio.NewReader(out).ReadString('\n')
		if !strings.HasPrefix(line, "rests") {
			t.Fatalf("it says %q, and ends with %v", line, cmd.Wait())
		}
		rests := false
		for n := 0; n < spans && !rests; n++ {
			before := voluntarySwitches(t, cmd.Process.Pid)
			time.Sleep(span) // or longer, which makes it no easier
			slept := voluntarySwitches(t, cmd.Process.Pid) - before
			rests = slept <= wakes
			t.Logf("%d wakes", slept)
		}
		if !rests {
			t.Error("it does not come to rest")
		}
		io.WriteString(in, "end\n")
		if err := cmd.Wait(); err != nil {
			t.Error(err)
		}
	})
}

// voluntarySwitches is how often the threads of a process have gone to sleep. At rest each wake adds one, and on a busy
// machine no more.
func voluntarySwitches(t *testing.T, pid int) (n int) {
	files, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/status", pid))
	if err != nil || len(files) == 0 {
		t.Fatal("no threads: ", err)
	}
	for _, name := range files {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Log(err) // it has ended
		}
		for line := range strings.Lines(string(text)) {
			var here int
			if k, _ := fmt.Sscanf(line, "voluntary_ctxt_switches: %d", &here); k == 1 {
				n += here
			}
		}
	}
	return n
}
