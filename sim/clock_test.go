package sim_test

import (
	"io/fs"
	"os"
	"strings"
	"testing"
	"time"

	"ringo"
	"ringo/file"
	"ringo/sim"
	"ringo/sock"
)

// The times of files and of datagrams are by the clock that a loop's Now is by, wherever that was put.
func TestOneWallClock(t *testing.T) {
	here(t, func(w *sim.World, l *ringo.Loop) error {
		h := w.Hosts()[0]
		a, err := sock.ListenPacket(l, "udp", "127.0.0.1:0")
		if err != nil {
			return err
		}
		defer a.Close()
		if err := a.SetControl(sock.ControlTime, true); err != nil {
			return err
		}
		// soon allows for the time that turns take.
		soon := func(at time.Time, h *sim.Host) bool { return h.Clock().Sub(at).Abs() < time.Millisecond }
		agrees := func(when string) error {
			if err := file.WriteFile("/tmp/a", []byte("x"), 0o600); err != nil {
				return err
			}
			info, err := file.Stat("/tmp/a")
			if err != nil {
				return err
			}
			if !soon(info.ModTime(), h) {
				w.Errorf("%s: a file was changed at %v by a clock of %v", when, info.ModTime().UTC(), h.Clock())
			}
			if !soon(l.Now(), h) {
				w.Errorf("%s: the loop has %v by a clock of %v", when, l.Now().UTC(), h.Clock())
			}
			if _, err := a.WriteTo([]byte("x"), a.LocalAddr()); err != nil {
				return err
			}
			p, oob := make([]byte, 16), make([]byte, sock.ControlMax)
			_, n, _, _, err := a.ReadMsgUDPAddrPort(p, oob)
			if at := sock.ParseControl(oob[:n]).Time; err == nil && !soon(at, h) {
				w.Errorf("%s: a datagram came at %v by a clock of %v", when, at.UTC(), h.Clock())
			}
			return err
		}
		if err := agrees("at first"); err != nil {
			return err
		}
		h.StepClock(24 * time.Hour)
		h.DriftClock(0.5)
		if err := l.Sleep(2 * time.Second); err != nil {
			return err
		}
		old, err := file.Stat("/tmp/a")
		if err != nil {
			return err
		}
		if old.ModTime().Sub(sim.Start) > time.Hour {
			w.Errorf("a step of the clock has moved the time of a file to %v", old.ModTime())
		}
		return agrees("after a step")
	})
}

// What is made has the mode that it asked for without the umask's bits; a chmod sets all.
func TestUmask(t *testing.T) {
	here(t, func(w *sim.World, l *ringo.Loop) error {
		mode := func(name string, want fs.FileMode) {
			info, err := file.Stat(name)
			if w.Check(err) && info.Mode() != want {
				w.Errorf("%s has mode %v, not %v", name, info.Mode(), want)
			}
		}
		if w.Check(file.Mkdir("/tmp/d", 0o777)) && w.Check(file.WriteFile("/tmp/d/f", nil, 0o666)) {
			mode("/tmp/d", fs.ModeDir|0o755)
			mode("/tmp/d/f", 0o644)
		}
		if w.Check(file.Chmod("/tmp/d/f", 0o666)) {
			mode("/tmp/d/f", 0o666)
		}
		ln, err := sock.Listen(l, "unix", "/tmp/d/s")
		if w.Check(err) {
			mode("/tmp/d/s", fs.ModeSocket|0o755)
			ln.Close()
		}
		_, err = file.OpenFile("/tmp/d/f", os.O_CREATE|os.O_EXCL, 0o666)
		if err == nil {
			w.Errorf("a file was made twice")
		}
		return nil
	})
}

// Only the script lets time pass.
func TestTimePassesForTheScript(t *testing.T) {
	for _, c := range []struct {
		what string
		call func(w *sim.World)
	}{
		{"RunFor", func(w *sim.World) { w.RunFor(time.Second) }},
		{"RunUntil", func(w *sim.World) { w.RunUntil(time.Second, func() bool { return false }) }},
		{"Wait", func(w *sim.World) { w.Wait() }},
	} {
		for _, in := range []struct {
			where string
			play  func(w *sim.World)
		}{
			{"a task", func(w *sim.World) {
				w.Host("here").Run(nil, func(*ringo.Loop) error { c.call(w); return nil })
				w.RunFor(time.Minute)
			}},
			{"an event", func(w *sim.World) {
				w.After(time.Second, func() { c.call(w) })
				w.RunFor(time.Minute)
			}},
			{"a condition", func(w *sim.World) {
				w.RunUntil(time.Minute, func() bool { c.call(w); return false })
			}},
			{"a deferred function at a crash", func(w *sim.World) {
				h := w.Host("here")
				h.Run(nil, func(l *ringo.Loop) error { defer c.call(w); return l.Sleep(time.Hour) })
				w.RunFor(time.Second)
				h.Crash()
				w.RunFor(time.Second)
			}},
		} {
			t.Run(c.what+" in "+in.where, func(t *testing.T) {
				s, _ := plays(t, func(s *stage) { sim.Run(s, 1, in.play) })
				if !strings.Contains(s.text, c.what+" is for the script only") {
					t.Errorf("it is told: %s", s.text)
				}
			})
		}
	}
}
