//go:build linux

package sock_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log"
	"log/slog"
	"net"
	"os"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"

	"ringo"
	"ringo/internal/test/patience"
	"ringo/sock"
)

// A logger logs a line to a writer, which it calls with a sync.Mutex locked.
var loggers = map[string]func(w io.Writer) func(line string){
	"log": func(w io.Writer) func(string) {
		l := log.New(w, "", 0)
		return func(line string) { l.Print(line) }
	},
	"slog text": func(w io.Writer) func(string) {
		l := slog.New(slog.NewTextHandler(w, nil))
		return func(line string) { l.Info(line) }
	},
	"slog JSON": func(w io.Writer) func(string) {
		l := slog.New(slog.NewJSONHandler(w, nil))
		return func(line string) { l.Info(line) }
	},
}

// waitsForRoom is a writer that waits for room.
type waitsForRoom struct{ to *ringo.Chan[[]byte] }

func (s waitsForRoom) Write(p []byte) (int, error) { return len(p), s.to.Send(bytes.Clone(p)) }

const loggerEnv, loggerWriterEnv = "RINGO_SOCK_LOGGER", "RINGO_SOCK_LOGGER_WRITER"

func init() { children["logger"] = loggerChild }

// Two tasks of a loop that share a Logger freeze it for good, once one of them parks in what the Logger writes to. The
// documentation says so; if this fails one day it has to say something else.
func TestSharedLoggerFreezes(t *testing.T) {
	for name := range loggers {
		for _, w := range []string{"a Conn", "a Chan"} {
			t.Run(name+" to "+w, func(t *testing.T) {
				t.Parallel()
				c := startChild(t, "logger", loggerEnv+"="+name, loggerWriterEnv+"="+w)
				if got := c.line(); got != "frozen" {
					t.Error(got)
				}
			})
		}
	}
}

// loggerChild is two tasks that log, and nobody who reads.
func loggerChild() int {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Println(err)
		return 1
	}
	go ringo.Run(context.Background(), &ringo.Config{Loops: 1, StallLimit: -1}, func(l *ringo.Loop) error {
		var w io.Writer = waitsForRoom{ringo.NewChan[[]byte](10)}
		if os.Getenv(loggerWriterEnv) == "a Conn" {
			c, err := sock.Dial(l, "tcp", ln.Addr().String())
			if err != nil {
				fmt.Println(err)
				return err
			}
			w = c
		}
		line := loggers[os.Getenv(loggerEnv)](w)
		text := strings.Repeat("x", 1<<14)
		logs := func() {
			for {
				line(text)
			}
		}
		l.Go(logs)
		logs()
		return nil
	})
	buf := make([]byte, 1<<20)
	times := 0
	err = patience.Poll(nil, func() bool {
		parked, stands := false, false
		for stack := range strings.SplitSeq(string(buf[:runtime.Stack(buf, true)]), "\n\n") {
			if strings.Contains(stack, "loggerChild.func1.1") {
				parked = parked || strings.Contains(stack, "[coroutine")
				stands = stands || strings.Contains(stack, "[sync.Mutex.Lock")
			}
		}
		if times++; !parked || !stands {
			times = 0
		}
		return times == 20
	})
	if err != nil {
		fmt.Printf("not frozen: %v\n%s\n", err, buf[:runtime.Stack(buf, true)])
		return 1
	}
	fmt.Println("frozen")
	return 0
}

// What tasks may do instead: a Logger whose writer never waits, over a Chan that a task of its own empties. Its peer
// doesn't read, and the loop goes on. A Logger that one task has to itself may wait.
func TestLoggersOfTasks(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		pair(t, cfg, func(l *ringo.Loop, c *sock.Conn, peer tcpPeer) {
			own, ownPeer := connect(t, l)
			defer ownPeer.Close()
			lines := ringo.NewChan[[]byte](16)
			var lost atomic.Int64
			w := writerFunc(func(p []byte) (int, error) {
				if !lines.TrySend(bytes.Clone(p)) {
					lost.Add(1)
				}
				return len(p), nil
			})
			shared, alone := log.New(w, "", 0), log.New(own, "", 0)
			text := strings.Repeat("x", 1<<16-1)
			tasks := ringo.NewGroup(l)
			emptied := l.Go(func() {
				for {
					p, err := lines.Recv()
					if err != nil {
						return
					}
					c.Write(p)
				}
			})
			selfish := l.Go(func() {
				for alone.Output(0, text) == nil {
				}
			})
			const each = 300
			for range 4 {
				tasks.Go(func() error {
					for range each {
						shared.Print(text)
						l.Sleep(0)
					}
					return nil
				})
			}
			if err := tasks.Wait(); err != nil {
				t.Error(err)
			}
			kept := 4*each - int(lost.Load())
			if kept == 4*each {
				t.Error("a peer that reads nothing was to be the end of room")
			}
			lines.Close()
			offloaded(t, l, func() error {
				n, err := io.Copy(io.Discard, io.LimitReader(peer, int64(kept)<<16))
				if err != nil || n != int64(kept)<<16 {
					return fmt.Errorf("of %d lines came %d bytes: %w", kept, n, err)
				}
				return nil
			})
			emptied.Wait()
			own.Close()
			selfish.Wait()
		})
	})
}
