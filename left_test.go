package ringo_test

import (
	"context"
	"fmt"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"ringo"
	"ringo/sock"
)

// Who doesn't end is named by the program's functions, and where there is none, by
// what the program has called.
func TestTasksLeftOfAServer(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		defer ringo.SetHardStop(10 * time.Millisecond)()
		cfg.Loops, cfg.Grace = 1, -1
		set, err := sock.Reserve("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		addr := set.Addr().String()
		set.Close()

		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		held, release := make(chan *ringo.Loop, 1), make(chan struct{})
		ended := make(chan error, 1)
		go func() {
			ended <- sock.ListenAndServe(ctx, &cfg, "tcp", addr, func(c *sock.Conn) { holdsItsLoop(c, held, release) })
		}()
		eventually(t, "a connection", func() bool {
			c, err := net.Dial("tcp", addr)
			if err == nil {
				t.Cleanup(func() { c.Close() })
			}
			return err == nil
		})
		l := receive(t, "the handler", held)
		cancel()
		text := fmt.Sprint(receive(t, "the end", ended))
		close(release)
		_, names, _ := strings.Cut(text, "being cancelled: ")
		got := strings.Split(names, "; ")
		slices.Sort(got)
		if len(got) != 2 || !strings.HasPrefix(got[0], "ringo/sock.serveSets.") ||
			!strings.HasPrefix(got[1], "ringo_test.TestTasksLeftOfAServer.") ||
			!strings.HasSuffix(got[1], " (loop 0), which holds its loop") {
			t.Errorf("%s: want ListenAndServe's task and the handler's", text)
		}
		eventually(t, "the loop's end", func() bool { return l.Sleep(0) == ringo.ErrEnded })
	})
}

func holdsItsLoop(c *sock.Conn, held chan<- *ringo.Loop, release <-chan struct{}) {
	held <- c.Loop()
	<-release
}
