package sock_test

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"net"
	"runtime"
	"runtime/pprof"
	"strings"
	"testing"

	"ringo"
	"ringo/internal/labels"
	"ringo/sock"
)

// handlerLabels gives the labels that a profile shows of the caller. One calls it at a time: the profile is searched
// for its name.
//
//go:noinline
func handlerLabels() string {
	var profile bytes.Buffer
	pprof.Lookup("goroutine").WriteTo(&profile, 1)
	for record := range strings.SplitSeq(profile.String(), "\n\n") {
		if !strings.Contains(record, "sock_test.handlerLabels") {
			continue
		}
		for line := range strings.SplitSeq(record, "\n") {
			if set, ok := strings.CutPrefix(line, "# labels: "); ok {
				return set
			}
		}
	}
	return ""
}

// Handlers have the labels of who called Serve or ListenAndServe, however many tasks with others ran in between.
func TestHandlersInheritLabels(t *testing.T) {
	if !labels.Readable() {
		t.Skip("labels can't be read on " + runtime.GOARCH)
	}
	labelled := func(value string, f func() error) (err error) {
		pprof.Do(context.Background(), pprof.Labels("who", value), func(context.Context) { err = f() })
		return err
	}
	answer := func(c *sock.Conn) error {
		_, err := io.WriteString(c, handlerLabels()+"\n")
		return err
	}
	h := &sock.Handler{Request: func(c *sock.Conn) error {
		if _, err := io.ReadFull(c, make([]byte, 2)); err != nil {
			return err
		}
		return answer(c)
	}}
	ask := func(t *testing.T, addr, want string) {
		t.Helper()
		c, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		in := bufio.NewReader(c)
		for range 3 {
			io.WriteString(c, "?\n")
			if got, err := in.ReadString('\n'); err != nil || got != want+"\n" {
				t.Errorf("a handler has labels %q, %v; want %s", got, err, want)
			}
		}
	}
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		s := serve(t, cfg, func(l *ringo.Loop, ln *sock.Listener) error {
			return labelled("serve", func() error {
				l.Go(func() { labelled("other", func() error { return nil }) }).Wait()
				return sock.Serve(l, ln, h)
			})
		})
		ask(t, s.addr, `{"who":"serve"}`)

		addr := freeAddr(t)
		stop := func() {}
		labelled("listen", func() error {
			stop = listenAndServe(t, cfg, addr, func(c *sock.Conn) {
				for h.Request(c) == nil {
				}
			})
			return nil
		})
		defer stop()
		ask(t, addr, `{"who":"listen"}`)
	})
}
