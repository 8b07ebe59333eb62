//go:build linux

package upgrade

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"ringo"
	"ringo/internal/test/patience"
	"ringo/internal/test/socktest"
	"ringo/sock"
)

// passing is an Upgrader whose successor has asked for n connections, and the successor's end of the stream.
func passing(t *testing.T, n int) (u *Upgrader, there *net.UnixConn) {
	here, there := stream(t)
	s := &successor{wire: here, places: ringo.NewChan[int](placesMax)}
	for range n {
		s.places.TrySend(0)
	}
	return &Upgrader{next: s}, there
}

// wantFrame wants a connection with a note to come.
func wantFrame(t *testing.T, there *net.UnixConn, note string) {
	t.Helper()
	there.SetReadDeadline(patience.Deadline())
	var f frame
	if err := f.receive(there, noteMax); err != nil || string(f.note) != note || f.file == nil {
		t.Errorf("there came %v, %q, %v; want a connection with %q", f.file, f.note, err, note)
	}
	f.close()
}

// pair is a connection of l, and its peer.
func pair(t *testing.T, l *ringo.Loop) *sock.Conn {
	t.Helper()
	c, peer, err := sock.Pipe(l)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close(); peer.Close() })
	return c
}

// hasLeft waits until a connection is out of its loop, or a task that is to do so has ended.
func hasLeft(c *sock.Conn, l *ringo.Loop, ended *bool) bool {
	for c.SetDeadline(time.Time{}) == nil && !*ended {
		l.Yield()
	}
	return c.SetDeadline(time.Time{}) != nil
}

// Who has a place passes the connection on, whatever ends its wait from then on, and the next one is passed on as well.
func TestPassConnEnds(t *testing.T) {
	for _, how := range []string{"cancel", "WithContext", "WithTimeout"} {
		t.Run(how, func(t *testing.T) {
			socktest.EachDriver(t, func(t *testing.T, cfg ringo.Config) {
				cfg.Offload = 1
				u, there := passing(t, 2)
				err := ringo.Run(t.Context(), &cfg, func(l *ringo.Loop) error {
					passEnding(t, u, l, how)
					return u.PassConn(pair(t, l), []byte("the next one"))
				})
				if err != nil {
					t.Error(err)
				}
				if n := u.next.places.Len(); n != 0 {
					t.Errorf("%d places are left", n)
				}
				if t.Failed() {
					return // without frames that don't come
				}
				wantFrame(t, there, how)
				wantFrame(t, there, "the next one")
			})
		})
	}
}

// passEnding passes a connection on, in a task whose waits end once the connection has left its loop.
func passEnding(t *testing.T, u *Upgrader, l *ringo.Loop, how string) {
	slot, held := make(chan bool), make(chan bool)
	blocker := l.Go(func() {
		l.Offload(func(context.Context) error { close(held); <-slot; return nil })
	})
	l.Compute(func(context.Context) error { <-held; return nil })
	for limit := 50 * time.Millisecond; ; limit *= 2 {
		ctx, end := context.WithCancel(t.Context())
		defer end()
		c, ended := pair(t, l), false
		pass := func() error { return u.PassConn(c, []byte(how)) }
		task := l.Go(func() {
			var err error
			switch how {
			case "cancel":
				err = pass()
			case "WithContext":
				err = l.WithContext(ctx, pass)
			case "WithTimeout":
				err = l.WithTimeout(limit, pass)
			}
			if ended = true; err != nil && c.SetDeadline(time.Time{}) != nil {
				t.Errorf("PassConn: %v", err)
			}
		})
		if !hasLeft(c, l, &ended) && how == "WithTimeout" {
			continue // it was over too soon, on a machine that is busy
		}
		switch how {
		case "cancel":
			task.Cancel()
		case "WithContext":
			end()
			l.Sleep(time.Millisecond) // another thread tells the loop
		case "WithTimeout":
			l.Sleep(limit)
		}
		close(slot) // now frames can be sent
		task.Wait()
		blocker.Wait()
		return
	}
}

// A frame of which nothing has gone out leaves its place to another, and the stream whole.
func TestPassConnGivesBack(t *testing.T) {
	socktest.EachDriver(t, func(t *testing.T, cfg ringo.Config) {
		u, there := passing(t, 1)
		filled := fill(t, u.next.wire)
		err := ringo.Run(t.Context(), &cfg, func(l *ringo.Loop) error {
			c, ended := pair(t, l), false
			var bad error
			task := l.Go(func() {
				bad = u.PassConn(c, nil)
				ended = true
			})
			hasLeft(c, l, &ended)
			task.Cancel()
			task.Wait()
			if bad == nil || !errors.Is(bad, os.ErrDeadlineExceeded) {
				t.Errorf("PassConn by a stream without room: %v", bad)
			}
			if n := u.next.places.Len(); n != 1 {
				t.Errorf("%d places are left, want the one that was given back", n)
				return nil
			}
			return l.Offload(func(context.Context) error { return drain(there, filled) })
		})
		if err != nil {
			t.Error(err)
		}
		err = ringo.Run(t.Context(), &cfg, func(l *ringo.Loop) error {
			return u.PassConn(pair(t, l), []byte("the next one"))
		})
		if err != nil {
			t.Error(err)
			return
		}
		wantFrame(t, there, "the next one")
	})
}

// A connection stays that a successor has asked for which has ended since, or to which a part of a frame has gone.
func TestPassConnEnded(t *testing.T) {
	ends := map[string]func(t *testing.T, s *successor, there *net.UnixConn){
		"process": func(_ *testing.T, s *successor, there *net.UnixConn) {
			there.Write([]byte{wordPlace, wordPlace})
			there.Close()
			s.listen()
		},
		"stream": func(t *testing.T, s *successor, there *net.UnixConn) {
			ctx, end := context.WithCancel(t.Context())
			go func() {
				there.Read(make([]byte, 1))
				end()
			}()
			if sent, err := s.send(ctx, frame{unread: make([]byte, 4<<20)}); !sent || err == nil {
				t.Errorf("a frame for which there is no room: %v, %v", sent, err)
			}
		},
	}
	for name, end := range ends {
		t.Run(name, func(t *testing.T) {
			socktest.EachDriver(t, func(t *testing.T, cfg ringo.Config) {
				u, there := passing(t, 2)
				end(t, u.next, there)
				err := ringo.Run(t.Context(), &cfg, func(l *ringo.Loop) error {
					c := pair(t, l)
					if err := u.PassConn(c, nil); !errors.Is(err, ErrNoSuccessor) {
						t.Errorf("PassConn: %v", err)
					}
					return c.SetDeadline(time.Time{})
				})
				if err != nil {
					t.Error(err)
				}
			})
		})
	}
}

// fill has a stream take what it has room for, and returns how much that was.
func fill(t *testing.T, c *net.UnixConn) (n int) {
	raw, err := c.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	raw.Control(func(fd uintptr) {
		for size := 4096; size > 0; {
			k, err := syscall.Write(int(fd), make([]byte, size))
			if n += max(k, 0); err != nil {
				size /= 2
			}
		}
	})
	return n
}

// drain reads n bytes.
func drain(c *net.UnixConn, n int) error {
	for p := make([]byte, 4096); n > 0; {
		k, err := c.Read(p[:min(n, len(p))])
		if err != nil {
			return err
		}
		n -= k
	}
	return nil
}

// between is a program and its successor, which is ready, in one process. end is that of the successor's context.
func between(t *testing.T) (program, succ *Upgrader, end func()) {
	program, there := passing(t, 0)
	ctx, end := context.WithCancel(t.Context())
	p := &predecessor{wire: there, withdraws: true, conns: ringo.NewChan[frame](placesMax)}
	succ = &Upgrader{from: p, of: ctx, ctx: ctx, log: slog.New(slog.DiscardHandler)}
	if err := succ.Ready(); err != nil {
		t.Fatal(err)
	}
	heard, came := make(chan bool), make(chan bool)
	go func() {
		defer close(heard)
		program.next.listen()
	}()
	go func() {
		defer close(came)
		p.receive(succ.log)
	}()
	t.Cleanup(func() {
		program.next.close()
		patience.Recv(t, "the program's end", heard)
		patience.Recv(t, "the successor's", came)
		p.close()
	})
	return program, succ, end
}

// waiting is n calls of AcceptConn, all with one context.
type waiting struct {
	end  func()
	done chan error
}

func waitIn(t *testing.T, succ *Upgrader, n int) *waiting {
	ctx, cancel := context.WithCancel(t.Context())
	w := &waiting{cancel, make(chan error, n)}
	for range n {
		go func() {
			f, err := succ.from.accept(ctx)
			f.close()
			w.done <- err
		}()
	}
	return w
}

// ended wants the calls to have ended so.
func (w *waiting) ended(t *testing.T, want error) {
	t.Helper()
	for range cap(w.done) {
		if err := patience.Recv(t, "the end of AcceptConn", w.done); !errors.Is(err, want) {
			t.Errorf("AcceptConn: %v, want %v", err, want)
		}
	}
}

// A place lasts no longer than the call of AcceptConn for which it was asked: nothing is passed on to nobody.
func TestPlacesEnd(t *testing.T) {
	program, succ, end := between(t)
	places := func(want int) {
		t.Helper()
		patience.Until(t, "the places of all calls that wait", func() bool {
			succ.from.mu.Lock()
			defer succ.from.mu.Unlock()
			return succ.from.asked == want && program.next.places.Len() == want
		})
	}
	pass := func() error {
		return ringo.Run(t.Context(), &ringo.Config{Loops: 1}, func(l *ringo.Loop) error {
			return program.PassConn(pair(t, l), nil)
		})
	}
	two, three := waitIn(t, succ, 2), waitIn(t, succ, 3)
	places(5)
	three.end()
	three.ended(t, context.Canceled)
	places(2)
	for range 2 {
		if err := pass(); err != nil {
			t.Error(err)
		}
	}
	two.ended(t, nil)
	places(0)

	// One that a call of PassConn has, which has no use for it, goes back as well.
	one := waitIn(t, succ, 1)
	places(1)
	place, err := program.next.places.Recv()
	if err != nil {
		t.Fatal(err)
	}
	one.end()
	one.ended(t, context.Canceled)
	patience.Until(t, "the word that withdraws it", func() bool {
		program.next.placing.Lock()
		defer program.next.placing.Unlock()
		return program.next.withdrawn > place
	})
	program.next.unused(place)
	places(0)

	// Nor is anything passed on to a successor that is about to end, by whatever context its calls wait.
	last := waitIn(t, succ, 1)
	places(1)
	end()
	last.ended(t, ringo.ErrClosed)
	patience.Until(t, "the end of all places", func() bool { return program.next.places.Len() == 0 })
	if err := pass(); !errors.Is(err, ErrNoSuccessor) {
		t.Errorf("PassConn to a successor that is about to end: %v", err)
	}
}

// A program that ends before it is ready does not take over.
func TestReadyOfEnding(t *testing.T) {
	here, there := stream(t)
	ctx, end := context.WithCancelCause(t.Context())
	u := &Upgrader{from: &predecessor{wire: there}, of: ctx, ctx: ctx, log: slog.New(slog.DiscardHandler)}
	errEnd := errors.New("told to end")
	end(errEnd)
	for range 2 {
		if err := u.Ready(); !errors.Is(err, errEnd) {
			t.Errorf("Ready: %v", err)
		}
	}
	there.Close()
	if n, err := here.Read(make([]byte, 1)); n != 0 || err != io.EOF {
		t.Errorf("the predecessor hears %d bytes, %v", n, err)
	}
}

// The successor's program is this one's, by the path that leads there, whatever else PATH has under the name by which
// it was started.
func TestProgramFile(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	defer func(was string) { os.Args[0] = was }(os.Args[0])
	dir := t.TempDir()
	t.Setenv("PATH", dir)
	link, other := filepath.Join(dir, "link"), filepath.Join(dir, "other")
	if err := os.Symlink(self, link); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(other, []byte("#!/bin/sh\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	for first, want := range map[string]string{self: self, link: link, "link": link, other: self, "other": self,
		"nothing": self, "": self} {
		os.Args[0] = first
		if got := programFile(); got != want {
			t.Errorf("started as %q it is %s, want %s", first, got, want)
		}
	}
}
