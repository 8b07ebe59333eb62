package sim_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync/atomic"
	"testing"
	"time"

	"ringo"
	"ringo/file"
	"ringo/internal/posix"
	"ringo/sim"
	"ringo/sock"
)

// alone runs fn on a host of a world, which the test may set up before, and returns the kinds of faults that came.
func alone(t *testing.T, setUp func(h *sim.Host), fn func(w *sim.World, l *ringo.Loop) error) map[sim.FaultKind]int {
	t.Helper()
	came := map[sim.FaultKind]int{}
	sim.Run(t, 1, func(w *sim.World) {
		h := w.Host("here")
		if setUp != nil {
			setUp(h)
		}
		w.Check(w.Wait(h.Run(nil, func(l *ringo.Loop) error { return fn(w, l) })))
		for _, f := range w.Faults() {
			came[f.Kind]++
		}
	})
	return came
}

// Files are read and written in pieces, and no byte gets lost.
func TestShortFiles(t *testing.T) {
	came := alone(t, func(h *sim.Host) { h.Disk.Short = 0.5 }, func(w *sim.World, l *ringo.Loop) error {
		text := bytes.Repeat([]byte("sixteen bytes..."), 1<<10)
		for range 10 {
			if err := file.WriteFile("/data/x", text, 0o600); err != nil {
				return err
			}
			if got, err := file.ReadFile("/data/x"); !bytes.Equal(got, text) || err != nil {
				return fmt.Errorf("%d bytes of %d, %v", len(got), len(text), err)
			}
			if _, err := file.CopyFile("/data/y", "/data/x"); err != nil {
				return err
			}
			if got, err := file.ReadFile("/data/y"); !bytes.Equal(got, text) || err != nil {
				return fmt.Errorf("of the copy %d bytes of %d, %v", len(got), len(text), err)
			}
		}
		return nil
	})
	if came[sim.FaultShort] == 0 {
		t.Error("nothing was short")
	}
}

// A full disk and a full quota are two errors, and what is removed makes room.
func TestFullDisk(t *testing.T) {
	for want, setUp := range map[posix.Errno]func(h *sim.Host){
		posix.ENOSPC: func(h *sim.Host) { h.Disk.Capacity = 1 << 20 },
		posix.EDQUOT: func(h *sim.Host) { h.Disk.Quota = 1 << 20 },
	} {
		alone(t, setUp, func(w *sim.World, l *ringo.Loop) error {
			if err := file.WriteFile("/data/x", make([]byte, 1<<21), 0o600); !errors.Is(err, want) {
				return fmt.Errorf("a write of more than there is room for: %v, want %v", err, want)
			}
			if info, err := file.Stat("/data/x"); err != nil || info.Size() != 1<<20 {
				return fmt.Errorf("%v bytes were written, %v", info.Size(), err)
			}
			if err := file.Remove("/data/x"); err != nil {
				return err
			}
			if err := file.WriteFile("/data/x", make([]byte, 1<<20), 0o600); err != nil {
				return err
			}
			return allocated(want)
		})
	}
}

// allocated has a file whose room was set aside, on a disk of 1 MiB that another fills.
func allocated(want error) error {
	if err := file.WriteFile("/data/x", make([]byte, 1<<19), 0o600); err != nil {
		return err
	}
	f, err := file.Create("/data/y")
	if err != nil {
		return err
	}
	defer f.Close()
	if err := f.Allocate(0, 0, 1<<19+1); !errors.Is(err, want) {
		return fmt.Errorf("an allocation of more than there is room for: %v, want %v", err, want)
	}
	if info, err := f.Stat(); err != nil || info.Size() != 0 {
		return fmt.Errorf("behind it the file has %v bytes, %v", info.Size(), err)
	}
	if err := f.Allocate(0, 0, 1<<19); err != nil {
		return err
	}
	if err := file.WriteFile("/data/z", []byte("z"), 0o600); !errors.Is(err, want) {
		return fmt.Errorf("a write beside what is allocated: %v, want %v", err, want)
	}
	_, err = f.WriteAt(make([]byte, 1<<19), 0)
	return err
}

// A sector that can't be read stays so until it is written, through a crash, too.
func TestLatentSectors(t *testing.T) {
	sim.Run(t, 1, func(w *sim.World) {
		h, boots := w.Host("here"), 0
		text := bytes.Repeat([]byte("sixteen bytes..."), 1<<8) // 8 sectors
		p := h.Run(nil, func(l *ringo.Loop) error {
			f, err := file.OpenFile("/data/x", os.O_RDWR|os.O_CREATE, 0o600)
			if err != nil {
				return err
			}
			defer f.Close()
			p := make([]byte, len(text))
			if boots++; boots == 1 {
				d, err := file.Open("/data")
				if err != nil {
					return err
				}
				_, err = f.WriteAt(text, 0)
				if err := errors.Join(err, f.Sync(), d.Sync(), d.Close()); err != nil {
					return err
				}
				h.Disk.Decay = 1
				if n, err := f.ReadAt(p[:512], 1024); n != 0 || !errors.Is(err, posix.EIO) {
					w.Errorf("the read that finds it: %d, %v", n, err)
				}
				h.Disk.Decay = 0
				return l.Sleep(time.Hour)
			}
			var first int
			for range 3 {
				n, err := f.ReadAt(p, 0)
				if !errors.Is(err, posix.EIO) || n%512 != 0 || n >= len(text) || !bytes.Equal(p[:n], text[:n]) {
					w.Errorf("a read of a bad sector: %d, %v", n, err)
				}
				first = n
			}
			if _, err := f.WriteAt([]byte("part"), int64(first)+8); !errors.Is(err, posix.EIO) {
				w.Errorf("a write of a part of a bad sector: %v", err)
			}
			if _, err := f.WriteAt(text[first:first+512], int64(first)); err != nil {
				return err
			}
			n, err := f.ReadAt(p, 0)
			if n != len(text) || !bytes.Equal(p, text) {
				w.Errorf("a read behind the write of the bad sector: %d, %v", n, err)
			}
			return nil
		})
		w.RunFor(time.Minute)
		h.Crash()
		h.Restart()
		w.RunFor(time.Minute)
		w.Check(w.Wait(p))
		if boots != 2 {
			w.Errorf("%d boots", boots)
		}
		if f := w.Faults(); len(f) != 1 || f[0].Kind != sim.FaultDecay {
			w.Errorf("the faults are %v", f)
		}
	})
}

// Segments that come in two and sends that are short make reads and writes short, and streams stay whole.
func TestShortStreams(t *testing.T) {
	sim.Explore(t, 10, func(w *sim.World) {
		w.Link = sim.Link{Latency: time.Millisecond, Split: 0.5}
		w.Host("server").Run(nil, echo)
		w.RunFor(time.Second)
		client := w.Host("client")
		client.Calls.ShortSend = 0.3
		most, reads := 0, 0
		c := client.Run(nil, func(l *ringo.Loop) error {
			c, err := sock.Dial(l, "tcp", "server:7000")
			if err != nil {
				return err
			}
			defer c.Close()
			text := bytes.Repeat([]byte("sixteen bytes..."), 1<<10)
			l.Go(func() { c.Write(text); c.CloseWrite() })
			var got []byte
			for p := make([]byte, len(text)); ; reads++ {
				n, err := c.Read(p)
				if got, most = append(got, p[:n]...), max(most, n); err == io.EOF {
					break
				}
				if err != nil {
					return err
				}
			}
			if !bytes.Equal(got, text) {
				return fmt.Errorf("%d bytes came of %d", len(got), len(text))
			}
			return nil
		})
		w.Check(w.Wait(c))
		split := false
		for _, f := range w.Faults() {
			split = split || f.Kind == sim.FaultSplit && f.Host == 1
		}
		if split && reads < 2 {
			w.Errorf("%d reads, the longest of %d bytes", reads, most)
		}
	})
}

// A kernel without memory says so to who makes sockets, accepts and opens files, and goes on when there is some.
func TestShortage(t *testing.T) {
	came := alone(t, func(h *sim.Host) { h.Calls.Shortage = 0.3 }, func(w *sim.World, l *ringo.Loop) error {
		files, sockets := 0, 0
		for i := range 100 {
			f, err := file.OpenFile(fmt.Sprint("/data/", i), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
			if errors.Is(err, posix.ENOMEM) {
				files++
				if _, err := file.Stat(fmt.Sprint("/data/", i)); !errors.Is(err, os.ErrNotExist) {
					return fmt.Errorf("a file that could not be opened: %v", err)
				}
				continue
			}
			if err != nil {
				return err
			}
			f.Close()
			a, b, err := sock.Pipe(l)
			if errors.Is(err, posix.ENOBUFS) {
				sockets++
				continue
			}
			if err != nil {
				return err
			}
			a.Close()
			b.Close()
		}
		if files == 0 || sockets == 0 {
			return fmt.Errorf("%d files and %d sockets found no memory", files, sockets)
		}
		return nil
	})
	if came[sim.FaultShortage] == 0 {
		t.Error("there was no shortage")
	}
	// A listener waits it out.
	sim.Run(t, 2, func(w *sim.World) {
		server := w.Host("server")
		server.Run(nil, echo)
		w.RunFor(time.Second)
		server.Calls.Shortage = 0.5
		c := w.Host("client").Run(nil, func(l *ringo.Loop) error {
			for range 50 {
				if err := asks(l, 1, 0); err != nil {
					return err
				}
			}
			return nil
		})
		w.Check(w.Wait(c))
	})
}

// listens listens on port 7000 with a short backlog, and accepts when it is told.
func listens(accept *bool) func(l *ringo.Loop) error {
	return func(l *ringo.Loop) error {
		lc := sock.ListenConfig{Backlog: 1}
		set, err := lc.Listen(l, "tcp", ":7000")
		if err != nil {
			return err
		}
		defer set.Close()
		for !*accept {
			if err := l.Sleep(time.Second); err != nil {
				return err
			}
		}
		for {
			c, err := set.AcceptConn()
			if err != nil {
				return err
			}
			l.Go(func() { defer c.Close(); io.Copy(c, c) })
		}
	}
}

// Descriptors and ports run out, are told of by their errors, and come back.
func TestExhausted(t *testing.T) {
	sim.Run(t, 1, func(w *sim.World) {
		w.Host("server").Run(nil, echo)
		w.RunFor(time.Second)
		h := w.Host("client")
		dialAll := func(l *ringo.Loop, want error, most int) error {
			var open []*sock.Conn
			for {
				c, err := sock.Dial(l, "tcp", "server:7000")
				if err != nil {
					if !errors.Is(err, want) || len(open) == 0 || len(open) > most {
						return fmt.Errorf("dial %d: %v, want %v", len(open)+1, err, want)
					}
					break
				}
				open = append(open, c)
			}
			for _, c := range open {
				c.Close()
			}
			l.Sleep(time.Minute)
			return nil
		}
		w.Check(w.Wait(h.Run(nil, func(l *ringo.Loop) error {
			h.SetPorts(20) // for each of the server's two addresses
			if err := dialAll(l, posix.EADDRNOTAVAIL, 2*20); err != nil {
				return fmt.Errorf("ports: %w", err)
			}
			h.SetPorts(0)
			h.SetDescriptors(10)
			if err := dialAll(l, posix.EMFILE, 10); err != nil {
				return fmt.Errorf("descriptors: %w", err)
			}
			h.SetDescriptors(0)
			return asks(l, 1, 0)
		})))
	})
}

// Two ends hear of a reset at once, and a storm of them leaves programs that run.
func TestReset(t *testing.T) {
	sim.Run(t, 1, func(w *sim.World) {
		w.Link = sim.Link{Latency: time.Millisecond}
		server, client := w.Host("server"), w.Host("client")
		server.Run(nil, echo)
		w.RunFor(time.Second)
		resets := 0
		c := client.Run(nil, func(l *ringo.Loop) error {
			for range 20 {
				err := asks(l, 20, time.Second)
				if errors.Is(err, posix.ECONNRESET) || errors.Is(err, posix.EPIPE) {
					resets++
				} else if err != nil {
					return err
				}
			}
			return nil
		})
		w.RunFor(5 * time.Second)
		if n := w.Reset(server, client); n != 1 {
			w.Errorf("%d connections were reset", n)
		}
		if n := w.Reset(client, server); n != 0 {
			w.Errorf("%d connections were reset twice", n)
		}
		w.RunFor(time.Second)
		if resets != 1 {
			w.Errorf("%d connections have heard of a reset", resets)
		}
		w.Storm(5*time.Minute, sim.Storm{Hosts: []*sim.Host{server}, Reset: 20 * time.Second})
		w.Check(w.Wait(c))
		came := 0
		for _, f := range w.Faults() {
			if f.Kind == sim.FaultReset {
				came++
			}
		}
		if came == 0 || resets < 3 {
			w.Errorf("%d resets came, %d were told of", came, resets)
		}
	})
}

// A peer that is gone for good, or that nothing reaches, is found by the keep-alive probes of who waits for it.
func TestHalfOpen(t *testing.T) {
	for name, gone := range map[string]func(w *sim.World, server, client *sim.Host){
		"crash": func(_ *sim.World, server, _ *sim.Host) { server.Crash() },
		"cut":   func(w *sim.World, server, client *sim.Host) { w.Cut(server, client) },
	} {
		t.Run(name, func(t *testing.T) {
			sim.Run(t, 1, func(w *sim.World) {
				server, client := w.Host("server"), w.Host("client")
				s := server.Run(nil, echo)
				w.RunFor(time.Second)
				c := client.Run(nil, func(l *ringo.Loop) error {
					c, err := sock.Dial(l, "tcp", "server:7000")
					if err != nil {
						return err
					}
					defer c.Close()
					begun := l.Now()
					if _, err := c.Read(make([]byte, 1)); !errors.Is(err, posix.ETIMEDOUT) {
						return fmt.Errorf("a read from who is gone: %v", err)
					}
					if d := l.Now().Sub(begun); d < time.Minute || d > 10*time.Minute {
						return fmt.Errorf("it took %v", d)
					}
					return nil
				})
				w.RunFor(time.Second)
				gone(w, server, client)
				w.Check(w.Wait(c))
				w.MendAll()
				s.Drain()
			})
		})
	}
}

// Who paused is a reader that has stuck: writers wait once all buffers are full, and go on when it does.
func TestPausedReader(t *testing.T) {
	sim.Run(t, 1, func(w *sim.World) {
		server := w.Host("server")
		got := 0
		s := server.Run(nil, func(l *ringo.Loop) error {
			ln, err := sock.Listen(l, "tcp", ":7000")
			if err != nil {
				return err
			}
			defer ln.Close()
			c, err := ln.AcceptConn()
			if err != nil {
				return err
			}
			defer c.Close()
			n, err := io.Copy(io.Discard, c)
			got = int(n)
			return err
		})
		w.RunFor(time.Second)
		sent := 0
		c := w.Host("client").Run(nil, func(l *ringo.Loop) error {
			c, err := sock.Dial(l, "tcp", "server:7000")
			if err != nil {
				return err
			}
			defer c.Close()
			server.Pause(time.Hour)
			begun := l.Now()
			err = l.WithTimeout(time.Minute, func() (err error) {
				sent, err = c.Write(make([]byte, 4<<20))
				return err
			})
			if !errors.Is(err, context.DeadlineExceeded) && !errors.Is(err, os.ErrDeadlineExceeded) || sent == 4<<20 {
				return fmt.Errorf("a write to who has stuck: %d, %v", sent, err)
			}
			n, err := c.Write(make([]byte, 4<<20-sent))
			if sent += n; err != nil {
				return err
			}
			if d := l.Now().Sub(begun); d < 59*time.Minute {
				return fmt.Errorf("it went on after %v", d)
			}
			return nil
		})
		w.Check(w.Wait(c, s))
		if got != 4<<20 || sent != got {
			w.Errorf("%d bytes came of %d", got, sent)
		}
	})
}

// A full backlog says nothing to who dials, who asks again until there is room.
func TestFullBacklog(t *testing.T) {
	sim.Run(t, 1, func(w *sim.World) {
		accept := false
		w.Host("server").Run(nil, listens(&accept))
		w.RunFor(time.Second)
		c := w.Host("client").Run(nil, func(l *ringo.Loop) error {
			d := sock.Dialer{Timeout: 10 * time.Second}
			var open []*sock.Conn
			defer func() {
				for _, c := range open {
					c.Close()
				}
			}()
			for {
				c, err := d.Dial(l, "tcp", "server:7000")
				var slow net.Error
				if errors.As(err, &slow) && slow.Timeout() && len(open) > 0 {
					break
				}
				if err != nil || len(open) > 1000 {
					return fmt.Errorf("dial %d: %v", len(open)+1, err)
				}
				open = append(open, c)
			}
			l.AfterFunc(5*time.Second, func() { accept = true })
			d.Timeout = time.Minute
			c, err := d.Dial(l, "tcp", "server:7000")
			if err == nil {
				err = c.Close()
			}
			return err
		})
		w.Check(w.Wait(c))
	})
}

// Look-ups come late, fail, give another host, or know no such name.
func TestNames(t *testing.T) {
	sim.Run(t, 1, func(w *sim.World) {
		w.Host("server").Run(nil, echo)
		w.Name("alias.example", "server")
		h := w.Host("client")
		w.RunFor(time.Second)
		c := h.Run(nil, func(l *ringo.Loop) error {
			dial := func() error {
				c, err := sock.Dial(l, "tcp", "alias.example:7000")
				if err == nil {
					c.Close()
				}
				return err
			}
			begun := l.Now()
			h.Names.Latency = time.Minute
			if err := dial(); err != nil {
				return err
			}
			if d := l.Now().Sub(begun); d < time.Minute {
				return fmt.Errorf("a look-up took %v", d)
			}
			var wrong *net.DNSError
			h.Names.Latency, h.Names.Fail = 0, 1
			if err := dial(); !errors.As(err, &wrong) || !wrong.Timeout() {
				return fmt.Errorf("a look-up that nobody answers: %v", err)
			}
			h.Names.Fail, h.Names.Wrong = 0, 1
			for n := 0; ; n++ {
				if err := dial(); errors.Is(err, posix.ECONNREFUSED) {
					break
				} else if err != nil || n > 100 {
					return fmt.Errorf("dials of another host: %v", err)
				}
			}
			h.Names.Wrong = 0
			if _, err := sock.Dial(l, "tcp", "nobody:1"); !errors.As(err, &wrong) || !wrong.IsNotFound {
				return fmt.Errorf("a name that nobody has: %v", err)
			}
			return dial()
		})
		w.Check(w.Wait(c))
	})
}

// Wall clocks step and drift, and no timer takes notice.
func TestClocks(t *testing.T) {
	sim.Run(t, 1, func(w *sim.World) {
		h := w.Host("here")
		c := h.Run(nil, func(l *ringo.Loop) error {
			off := func() time.Duration { return h.Clock().Sub(w.Now()) }
			h.StepClock(-time.Hour)
			if off() != -time.Hour {
				return fmt.Errorf("a step makes %v", off())
			}
			begun := w.Elapsed()
			l.Sleep(time.Minute)
			if d := w.Elapsed() - begun; d < time.Minute || d > time.Minute+time.Second {
				return fmt.Errorf("a minute took %v", d)
			}
			if d := l.Now().Sub(h.Clock()); d < -2*time.Second || d > 2*time.Second {
				return fmt.Errorf("the loop's clock is %v off", d)
			}
			h.StepClock(time.Hour)
			h.DriftClock(0.01)
			l.Sleep(100 * time.Minute)
			if d := off() - time.Minute; d < -time.Second || d > time.Second {
				return fmt.Errorf("a drift of a hundredth makes %v in 100 minutes", off())
			}
			h.DriftClock(0)
			was := off()
			l.Sleep(time.Hour)
			if off() != was {
				return fmt.Errorf("a drift that has ended goes on: %v, %v", was, off())
			}
			return nil
		})
		w.Check(w.Wait(c))
	})
}

// A host that crashes in mid-turn comes back, at another place each time, and what is whole on its disk stays so.
func TestMidTurnKill(t *testing.T) {
	sim.Explore(t, 20, func(w *sim.World) {
		h, boots, done := w.Host("here"), 0, 0
		p := h.Run(nil, func(l *ringo.Loop) error {
			boots++
			for i := range 100 {
				text := bytes.Repeat([]byte{byte(i)}, 5000)
				if err := file.WriteFileAtomic("/data/x", text, 0o600); err != nil {
					return err
				}
				got, err := file.ReadFile("/data/x")
				if err != nil {
					return err
				}
				if len(got) != 5000 || bytes.Count(got, got[:1]) != 5000 {
					w.Errorf("%d bytes, %d alike", len(got), bytes.Count(got, got[:1]))
				}
				l.Sleep(time.Second)
			}
			done++
			return nil
		})
		w.Storm(time.Minute, sim.Storm{MidTurn: 0.02})
		w.RunUntil(time.Hour, func() bool { return done > 0 })
		w.Check(w.Wait(p))
		if boots < 2 || done != 1 {
			w.Errorf("%d boots, %d ends", boots, done)
		}
	})
}

// A host that the script crashes for good stays down, also beside a storm that has crashed it before or would now, and
// behind a restart of the same moment; what the storm has crashed alone comes back.
func TestCrashedForGood(t *testing.T) {
	storms := map[string]sim.Storm{
		"Crash":   {Crash: 3 * time.Second, Down: 3 * time.Second},
		"MidTurn": {MidTurn: 0.01, Down: 3 * time.Second},
	}
	for name, storm := range storms {
		var downBefore atomic.Int64
		sim.Explore(t, 50, func(w *sim.World) {
			gone, back := w.Host("gone"), w.Host("back")
			for _, host := range w.Hosts() {
				host.Run(nil, func(l *ringo.Loop) error {
					for l.Sleep(50*time.Millisecond) == nil {
						file.Stat("/data")
					}
					return nil
				})
			}
			w.Storm(20*time.Second, storm)
			w.RunFor(10 * time.Second)
			if gone.Down() {
				downBefore.Add(1)
			}
			gone.Crash()
			for range 60 {
				if w.RunFor(time.Second); !gone.Down() {
					w.Errorf("%s: the host that was crashed for good is up", name)
				}
			}
			if back.Down() {
				w.Errorf("%s: a host that the storm alone has crashed is down", name)
			}
			gone.Restart()
			w.RunFor(0)
			if gone.Down() {
				w.Errorf("%s: a host that was restarted is down", name)
			}
		})
		if downBefore.Load() == 0 {
			t.Errorf("%s: the storm had crashed the host in no world", name)
		}
	}
	sim.Run(t, 1, func(w *sim.World) {
		host := w.Host("here")
		host.Crash()
		host.Restart()
		host.Crash()
		if w.RunFor(time.Second); !host.Down() {
			w.Errorf("a host that was crashed behind its restart is up")
		}
		host.Restart()
		if w.RunFor(0); host.Down() {
			w.Errorf("a host that was restarted is down")
		}
	})
}

// A crash in mid-turn ends the turn's other calls too: what the next boot finds, the one behind it finds again.
func TestMidTurnKillsTheTurn(t *testing.T) {
	var crashes atomic.Int64
	sim.Explore(t, 100, func(w *sim.World) {
		host, boots := w.Host("here"), 0
		var found [3]string
		host.Run(nil, func(l *ringo.Loop) error {
			if boots++; boots > 1 {
				if host.Open() > 0 {
					return fmt.Errorf("boot %d begins with %d descriptors", boots, host.Open())
				}
				names, err := file.ReadDir("/data")
				found[min(boots, 3)-1] = fmt.Sprint(names)
				return err
			}
			for i := range 8 {
				l.Go(func() {
					for n := i; l.Sleep(time.Millisecond) == nil && n < 200; n += 8 {
						if f, err := file.Create(fmt.Sprintf("/data/%d", n)); err == nil {
							f.Close()
						}
					}
				})
			}
			return nil
		})
		w.Storm(time.Second, sim.Storm{MidTurn: 0.02, Down: 5 * time.Second})
		w.RunFor(time.Minute)
		host.Crash()
		host.Restart()
		w.RunFor(time.Minute)
		if boots == 3 {
			crashes.Add(1)
			if found[1] != found[2] {
				w.Errorf("boot 2 has found %s, boot 3 %s", found[1], found[2])
			}
		}
	})
	if crashes.Load() == 0 {
		t.Error("no storm has crashed the host")
	}
}

// A datagram of many fragments gets lost with any of them.
func TestFragments(t *testing.T) {
	came := func(mtu int) (n int) {
		sim.Run(t, 1, func(w *sim.World) {
			w.Link = sim.Link{Latency: time.Millisecond, Loss: 0.1, MTU: mtu}
			s := w.Host("server").Run(nil, func(l *ringo.Loop) error {
				c, err := sock.ListenPacket(l, "udp", ":7000")
				if err != nil {
					return err
				}
				defer c.Close()
				for p := make([]byte, 1<<16); ; n++ {
					c.SetReadDeadline(time.Now().Add(time.Hour))
					if _, _, err := c.ReadFrom(p); err != nil {
						return nil
					}
				}
			})
			w.RunFor(time.Second)
			c := w.Host("client").Run(nil, func(l *ringo.Loop) error {
				var d sock.Dialer
				c, err := d.DialPacket(l, "udp", "server:7000")
				if err != nil {
					return err
				}
				defer c.Close()
				for range 200 {
					if _, err := c.Write(make([]byte, 10_000)); err != nil {
						return err
					}
					l.Sleep(time.Second)
				}
				return nil
			})
			w.Check(w.Wait(c, s))
		})
		return n
	}
	if few, many := came(1500), came(60_000); few == 0 || few > 140 || many < 140 {
		t.Errorf("of 200 datagrams %d came in fragments, and %d whole", few, many)
	}
}
