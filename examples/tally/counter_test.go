package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"ringo"
	"ringo/sim"
	"ringo/sock"
)

// A handler and its client in one loop, each with one end of a connection.
func TestAnswers(t *testing.T) {
	sim.RunLoop(t, func(l *ringo.Loop) error {
		s := newCounter()
		if err := s.parts.Start(l); err != nil {
			return err
		}
		c, server, err := sock.Pipe(l)
		if err != nil {
			return err
		}
		defer c.Close()
		l.Go(func() { defer server.Close(); s.serve(server) })
		r := bufio.NewReader(c)
		for _, row := range [][2]string{
			{"get apples", "0"}, {"add apples", "1"}, {"add apples 41", "42"}, {"add  pears -1", "-1"},
			{"get apples", "42"}, {"get", "error: want add NAME [N], or get NAME"},
			{"add apples x", "error: x is not a number of 32 bits"}, {"get apples", "42"},
		} {
			if got, err := ask(c, r, row[0]); got != row[1] || err != nil {
				t.Errorf("%s: %q, %v; want %q", row[0], got, err, row[1])
			}
		}
		fmt.Fprint(c, strings.Repeat("x", lineMax+1)) // no line: the connection ends
		if rest, err := io.ReadAll(r); len(rest) > 0 || err != nil {
			t.Errorf("after a line that is too long: %q, %v; want the end", rest, err)
		}
		return nil
	})
}

// ask is one request and its answer.
func ask(c *sock.Conn, r *bufio.Reader, request string) (string, error) {
	if _, err := fmt.Fprintln(c, request); err != nil {
		return "", err
	}
	answer, err := r.ReadString('\n')
	return strings.TrimSuffix(answer, "\n"), err
}

func TestSilentPeerLeaves(t *testing.T) {
	sim.RunLoop(t, func(l *ringo.Loop) error {
		c, server, err := sock.Pipe(l)
		if err != nil {
			return err
		}
		defer c.Close()
		began := l.Now()
		l.Go(func() { defer server.Close(); newCounter().serve(server) })
		rest, err := io.ReadAll(c)
		if after := l.Now().Sub(began); len(rest) > 0 || err != nil || after < idleMax || after > idleMax+time.Second {
			t.Errorf("%q, %v after %v; want the end after %v", rest, err, after, idleMax)
		}
		return nil
	})
}

func TestPeerThatReadsNothingLeaves(t *testing.T) {
	sim.RunLoop(t, func(l *ringo.Loop) error {
		s := newCounter()
		if err := s.parts.Start(l); err != nil {
			return err
		}
		c, server, err := sock.Pipe(l)
		if err != nil {
			return err
		}
		defer c.Close()
		l.Go(func() { defer server.Close(); s.serve(server) })
		err = l.WithTimeout(2*idleMax, func() (err error) {
			for err == nil {
				_, err = fmt.Fprintln(c, "get apples")
			}
			return err
		})
		if errors.Is(err, os.ErrDeadlineExceeded) {
			t.Error("it stays for as long as it likes")
		}
		return nil
	})
}

// A loop that has no room for names answers all that needs none.
func TestFull(t *testing.T) {
	sim.RunLoop(t, func(l *ringo.Loop) error {
		s := newCounter()
		if err := s.parts.Start(l); err != nil {
			return err
		}
		s.parts.At(0).Call(func(m counts) error {
			for i := range namesMax {
				m[fmt.Sprint("name", i)] = 7
			}
			return nil
		})
		for _, row := range [][2]string{
			{"get apples", "0"}, {"add apples 0", "0"}, {"add apples", "error: too many names"},
			{"get name1", "7"}, {"add name1", "8"},
		} {
			if got := s.answer(row[0]); got != row[1] {
				t.Errorf("%s: %q, want %q", row[0], got, row[1])
			}
		}
		return nil
	})
}

// Two loops and five clients, on a network that is late and loses packets, in many worlds: no addition is lost, none
// counts twice.
func TestCounts(t *testing.T) {
	const clients, each = 5, 20
	sim.Explore(t, 50, func(w *sim.World) {
		w.Link = sim.Link{Latency: time.Millisecond, Jitter: 5 * time.Millisecond, Loss: 0.02, Split: 0.2}
		s := newCounter()
		server := w.Host("server").Run(&ringo.Config{Loops: 2, Start: s.parts.Start}, func(l *ringo.Loop) error {
			ln, err := sock.Listen(l, "tcp", ":7000")
			if err != nil {
				return err
			}
			return accept(l, ln, s.serve)
		})
		users := make([]*sim.Program, clients)
		for i := range users {
			users[i] = w.Host(fmt.Sprint("client", i)).Run(nil, func(l *ringo.Loop) error { return use(l, each) })
		}
		for _, p := range users {
			w.Check(w.Wait(p))
		}
		w.Check(w.Wait(w.Host("judge").Run(nil, func(l *ringo.Loop) error {
			c, r, err := dial(l)
			if err != nil {
				return err
			}
			defer c.Close()
			got, err := ask(c, r, "get apples")
			if want := fmt.Sprint(clients * each); got != want && err == nil {
				err = fmt.Errorf("%s apples, want %s", got, want)
			}
			return err
		})))
		server.Drain()
		w.Check(w.Wait(server))
	})
}

// accept serves what connects to one loop of a world, as sock.ServeSets does in main.
func accept(l *ringo.Loop, ln *sock.Listener, serve func(c *sock.Conn)) error {
	for {
		c, err := ln.AcceptConn()
		if errors.Is(err, net.ErrClosed) {
			return nil // it drains
		}
		if err != nil {
			return err
		}
		l.Go(func() { defer c.Close(); serve(c) })
	}
}

// use adds apples, one by one.
func use(l *ringo.Loop, n int) error {
	c, r, err := dial(l)
	if err != nil {
		return err
	}
	defer c.Close()
	for range n {
		if answer, err := ask(c, r, "add apples"); err != nil || strings.HasPrefix(answer, "error") {
			return fmt.Errorf("add: %q, %w", answer, err)
		}
	}
	return nil
}

func dial(l *ringo.Loop) (*sock.Conn, *bufio.Reader, error) {
	c, err := sock.Dial(l, "tcp", "server:7000")
	if err != nil {
		return nil, nil, err
	}
	return c, bufio.NewReader(c), nil
}
