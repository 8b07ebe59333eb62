package sim_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"testing"
	"time"

	"ringo"
	"ringo/file"
	"ringo/internal/posix"
	"ringo/service"
	"ringo/sim"
	"ringo/sock"
)

// here runs a program on the only host of a world.
func here(t *testing.T, fn func(w *sim.World, l *ringo.Loop) error) {
	t.Helper()
	sim.Run(t, 1, func(w *sim.World) {
		w.Check(w.Wait(w.Host("here").Run(nil, func(l *ringo.Loop) error { return fn(w, l) })))
	})
}

// pair is two ends of a connection.
func pair(l *ringo.Loop, network, address string) (a, b *sock.Conn, err error) {
	ln, err := sock.Listen(l, network, address)
	if err != nil {
		return nil, nil, err
	}
	defer ln.Close()
	if a, err = sock.Dial(l, network, ln.Addr().String()); err != nil {
		return nil, nil, err
	}
	b, err = ln.AcceptConn()
	return a, b, err
}

// What would take a descriptor out of a world, or into it, is refused, and says why.
func TestDescriptorsStayInTheWorld(t *testing.T) {
	outside, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer outside.Close()
	here(t, func(w *sim.World, l *ringo.Loop) error {
		ln, err := sock.Listen(l, "tcp", ":0")
		if err != nil {
			return err
		}
		defer ln.Close()
		packet, err := sock.ListenPacket(l, "udp", ":0")
		if err != nil {
			return err
		}
		defer packet.Close()
		a, b, err := pair(l, "unix", "/tmp/socket")
		if err != nil {
			return err
		}
		defer a.Close()
		defer b.Close()
		for name, call := range map[string]func() error{
			"Conn.File":     func() error { _, err := a.File(); return err },
			"Listener.File": func() error { _, err := ln.File(); return err },
			"packet File":   func() error { _, err := packet.File(); return err },
			"Detach":        func() error { _, _, err := a.Detach(); return err },
			"DetachConn":    func() error { _, err := a.DetachConn(); return err },
			"DetachUnix":    func() error { _, _, err := a.DetachUnix(); return err },
			"SendFiles":     func() error { _, err := a.SendFiles([]byte("x"), outside); return err },
			"RecvFiles":     func() error { _, _, err := a.RecvFiles(make([]byte, 1), 1); return err },
			"Adopt":         func() error { _, err := sock.Adopt[*sock.Conn](l, outside, nil); return err },
			"AdoptListener": func() error { _, err := sock.Adopt[*sock.Listener](l, outside, nil); return err },
			"AdoptSet":      func() error { _, err := sock.AdoptSet(outside, nil); return err },
			"AdoptPacket":   func() error { _, err := sock.Adopt[*sock.PacketConn](l, outside, nil); return err },
			"AdoptUnixgram": func() error { _, err := sock.Adopt[*sock.UnixPacketConn](l, outside, nil); return err },
			"AdoptIP":       func() error { _, err := sock.Adopt[*sock.IPConn](l, outside, nil); return err },
			"Activated":     func() error { _, err := sock.Activated(); return err },
			"service.New":   func() error { _, err := service.New(nil); return err },
			"Poll":          func() error { _, err := sock.Poll(l, outside); return err },
			"file.Adopt":    func() error { _, err := file.Adopt(outside); return err },
		} {
			if err := call(); !errors.Is(err, errors.ErrUnsupported) {
				w.Errorf("%s in a world: %v", name, err)
			}
		}
		if err := file.Mkfifo("/tmp/fifo", 0o600); err != nil {
			return err
		}
		if _, err := file.Open("/tmp/fifo"); !errors.Is(err, errors.ErrUnsupported) {
			w.Errorf("an open of a FIFO that waits: %v", err)
		}
		return nil
	})
}

// Pipes wait, by the world's clock.
func TestPipesInTheWorld(t *testing.T) {
	here(t, func(w *sim.World, l *ringo.Loop) error {
		r, wr, err := file.Pipe()
		if err != nil {
			return err
		}
		begun := w.Elapsed()
		l.Go(func() {
			l.Sleep(time.Hour)
			wr.Write([]byte("late"))
		})
		p := make([]byte, 9)
		if n, err := r.Read(p); string(p[:n]) != "late" || err != nil || w.Elapsed()-begun < time.Hour {
			w.Errorf("%q, %v came after %v", p[:n], err, w.Elapsed()-begun)
		}
		begun = w.Elapsed()
		r.SetReadDeadline(l.Now().Add(time.Minute))
		_, err = r.Read(p)
		if d := w.Elapsed() - begun; !errors.Is(err, os.ErrDeadlineExceeded) || d < time.Minute || d > 61*time.Second {
			w.Errorf("a read with a deadline ended after %v: %v", d, err)
		}
		r.SetReadDeadline(time.Time{})
		reads := l.Go(func() {
			if _, err := r.Read(p); !errors.Is(err, context.Canceled) {
				w.Errorf("a cancelled read: %v", err)
			}
		})
		l.Sleep(time.Second)
		reads.Cancel()
		reads.Wait()
		full := l.Go(func() {
			if n, err := wr.Write(make([]byte, 1<<20)); !errors.Is(err, os.ErrClosed) || n == 0 {
				w.Errorf("a write that a close ends: %d, %v", n, err)
			}
		})
		l.Sleep(time.Second)
		if err := wr.Close(); err != nil {
			return err
		}
		full.Wait()
		if n, err := io.Copy(io.Discard, r); n < 4096 || err != nil {
			w.Errorf("what was in the pipe: %d, %v", n, err)
		}
		return r.Close()
	})
}

// What splices and sends files on a system's kernel moves the same bytes in a world.
func TestCopiesInTheWorld(t *testing.T) {
	here(t, func(w *sim.World, l *ringo.Loop) error {
		data := make([]byte, 6<<20)
		for i := range data {
			data[i] = byte(i>>10 ^ i)
		}
		if err := file.WriteFile("/tmp/data", data, 0o600); err != nil {
			return err
		}
		from, into, err := pair(l, "tcp", "127.0.0.1:0")
		if err != nil {
			return err
		}
		out, to, err := pair(l, "tcp", "127.0.0.1:0")
		if err != nil {
			return err
		}
		l.Go(func() {
			defer from.Close()
			f, err := file.Open("/tmp/data")
			if !w.Check(err) {
				return
			}
			defer f.Close()
			if n, err := io.Copy(from, f); int(n) != len(data) || err != nil {
				w.Errorf("a file was sent: %d, %v", n, err)
			}
		})
		l.Go(func() {
			defer out.Close()
			defer into.Close()
			if n, err := io.Copy(out, into); int(n) != len(data) || err != nil {
				w.Errorf("a connection was copied: %d, %v", n, err)
			}
		})
		got, err := io.ReadAll(to)
		if err != nil || !bytes.Equal(got, data) {
			w.Errorf("%d bytes came, or not those that were sent: %v", len(got), err)
		}
		return to.Close()
	})
}

// A dial's limits of time are by the world's clock.
func TestDialsInTheWorld(t *testing.T) {
	sim.Run(t, 1, func(w *sim.World) {
		server, client := w.Host("server"), w.Host("client")
		server.Run(nil, echo)
		w.RunFor(time.Second)
		w.Check(w.Wait(client.Run(nil, func(l *ringo.Loop) error {
			dials := func(d *sock.Dialer, network, address string) (time.Duration, error) {
				begun := w.Elapsed()
				c, err := d.Dial(l, network, address)
				if err == nil {
					c.Close()
				}
				return w.Elapsed() - begun, err
			}
			for _, address := range []string{"server:7000", "10.0.0.1:7000"} {
				if took, err := dials(&sock.Dialer{Timeout: time.Millisecond}, "tcp", address); err != nil {
					w.Errorf("a dial to %s, in time: %v after %v", address, err, took)
				}
				if took, err := dials(&sock.Dialer{Deadline: l.Now().Add(time.Second)}, "tcp", address); err != nil {
					w.Errorf("a dial to %s, before the deadline: %v after %v", address, err, took)
				}
			}
			w.Cut(server, client)
			for _, address := range []string{"server:7000", "10.0.0.1:7000"} {
				took, err := dials(&sock.Dialer{Timeout: 5 * time.Second}, "tcp", address)
				if !errors.Is(err, os.ErrDeadlineExceeded) || took < 5*time.Second || took > 6*time.Second {
					w.Errorf("a dial to %s that nobody answers: %v after %v", address, err, took)
				}
			}
			// As on Linux, it is not for everybody.
			if _, err := sock.Listen(l, "tcp", ":http"); !errors.Is(err, posix.EACCES) {
				w.Errorf("port http: %v", err)
			}
			return nil
		})))
	})
}

// A file of a world is for tasks of its host, and the script has no files.
func TestFilesOfOthers(t *testing.T) {
	for name, script := range map[string]func(w *sim.World, l *ringo.Loop, f *file.File) error{
		"a goroutine": func(_ *sim.World, _ *ringo.Loop, f *file.File) error {
			read := make(chan error)
			go func() { _, err := f.ReadAt(make([]byte, 1), 0); read <- err }()
			return <-read
		},
		"another host": func(w *sim.World, l *ringo.Loop, f *file.File) error {
			var err error
			p := w.Host("another").Run(nil, func(*ringo.Loop) error {
				_, err = f.ReadAt(make([]byte, 1), 0)
				return nil
			})
			for !p.Ended() {
				l.Sleep(time.Second)
			}
			return err
		},
	} {
		tb := &recorder{TB: t}
		sim.Run(tb, 1, func(w *sim.World) {
			w.Wait(w.Host("here").Run(nil, func(l *ringo.Loop) error {
				f, err := file.Create("/file")
				if err != nil {
					return err
				}
				defer f.Close()
				if err := script(w, l, f); !errors.Is(err, sim.ErrOutside) {
					t.Errorf("%s reads: %v", name, err)
				}
				return nil
			}))
		})
		tb.want(t, "a file in a simulated world")
	}
	tb := &recorder{TB: t}
	sim.Run(tb, 1, func(w *sim.World) {
		if _, err := file.ReadFile("/etc/hosts"); !errors.Is(err, sim.ErrOutside) {
			t.Errorf("the script reads: %v", err)
		}
		if _, _, err := file.Pipe(); !errors.Is(err, sim.ErrOutside) {
			t.Errorf("the script makes a pipe: %v", err)
		}
		if _, err := sock.Reserve("tcp", "127.0.0.1:0"); !errors.Is(err, sim.ErrOutside) {
			t.Errorf("the script reserves an address: %v", err)
		}
	})
	tb.want(t, "for which a host is wanted")
}

// Chance of the runtime's own is the seed's.
func TestChanceIsTheSeeds(t *testing.T) {
	play := func(seed uint64) (all string) {
		sim.Run(t, seed, func(w *sim.World) {
			w.Check(w.Wait(w.Host("here").Run(nil, func(l *ringo.Loop) error {
				f, err := file.CreateTemp("", "temp")
				if err != nil {
					return err
				}
				all += f.Name()
				a, b := ringo.NewChan[int](1000), ringo.NewChan[int](1000)
				for range 100 {
					n := 1
					i, err := ringo.Select(ringo.SendFrom(a, &n), ringo.SendFrom(b, &n))
					if err != nil {
						return err
					}
					all += fmt.Sprint(i)
				}
				return f.Close()
			})))
		})
		return all
	}
	if a, b := play(1), play(1); a != b {
		t.Errorf("one seed gave\n%s and\n%s", a, b)
	}
	if play(1) == play(2) {
		t.Error("two seeds gave the same")
	}
}

// A close that lingers waits on no goroutine.
func TestLingersInTheWorld(t *testing.T) {
	here(t, func(w *sim.World, l *ringo.Loop) error {
		a, b, err := pair(l, "tcp", "127.0.0.1:0")
		if err != nil {
			return err
		}
		if err := a.SetLinger(5); err != nil {
			return err
		}
		if _, err := a.Write([]byte("last")); err != nil {
			return err
		}
		if err := a.Close(); err != nil {
			return err
		}
		if p, err := io.ReadAll(b); string(p) != "last" || err != nil {
			w.Errorf("%q, %v came", p, err)
		}
		if err := b.Close(); err != nil && !errors.Is(err, posix.ECONNRESET) {
			return err
		}
		return nil
	})
}

// What was written to a Unix connection comes also when it was closed before there was room for all of it.
func TestUnixCloseLosesNothing(t *testing.T) {
	here(t, func(w *sim.World, l *ringo.Loop) error {
		a, b, err := pair(l, "unix", "/tmp/socket")
		if err != nil {
			return err
		}
		defer b.Close()
		sent := 0
		for p := make([]byte, 10_000); ; {
			n, err := a.TryWrite(p)
			if sent += n; err != nil {
				return err
			}
			if n == 0 {
				break
			}
		}
		if err := a.Close(); err != nil {
			return err
		}
		l.Sleep(time.Second)
		if p, err := io.ReadAll(b); len(p) != sent || err != nil {
			w.Errorf("%d bytes of %d came, %v", len(p), sent, err)
		}
		return nil
	})
}

// A host's address is the same also when others have dialled it by name.
func TestAddrStays(t *testing.T) {
	sim.Run(t, 1, func(w *sim.World) {
		server := w.Host("server")
		before := server.Addr()
		server.Run(nil, echo)
		w.RunFor(time.Second)
		w.Check(w.Wait(w.Host("client").Run(nil, func(l *ringo.Loop) error { return asks(l, 1, 0) })))
		if server.Addr() != before {
			w.Errorf("%v has become %v", before, server.Addr())
		}
	})
}
