package sim_test

import (
	"bytes"
	_ "embed"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"testing"
	"time"

	"ringo"
	"ringo/file"
	"ringo/internal/posix"
	"ringo/rate"
	"ringo/sim"
	"ringo/sock"
)

var newHistories = flag.Bool("new-histories", false, "TestHistories writes its file anew")

// historiesFile has the digests of worlds' histories, which a seed gives on every system: one a line, behind the
// script's name and the seed.
const historiesFile = "testdata/histories"

// histories are those, also where there is no such file, as in a guest.
//
//go:embed testdata/histories
var histories string

var historyScripts = []struct {
	name  string
	seeds uint64
	play  func(w *sim.World)
}{{"worlds", 8, playWorld}, {"programs", 8, playProgram}, {"far", 8, playFar}}

// A seed gives the same history on every system and architecture, whatever they have for numbers of errors, floats,
// sizes of words and order of bytes. .ci/worlds runs it on some. A change of package sim, or of what worlds run, gives
// seeds other histories: go test -run Histories ./sim -new-histories.
func TestHistories(t *testing.T) {
	var got bytes.Buffer
	for _, s := range historyScripts {
		for seed := range s.seeds {
			sim.Run(t, seed+1, func(w *sim.World) {
				s.play(w)
				fmt.Fprintf(&got, "%s %d %016x\n", s.name, w.Seed(), w.Hash())
			})
		}
	}
	if *newHistories {
		if err := os.WriteFile(historiesFile, got.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want := strings.Split(strings.ReplaceAll(histories, "\r\n", "\n"), "\n") // as some systems' git writes it
	for i, line := range strings.Split(got.String(), "\n") {
		if i >= len(want) || line != want[i] {
			t.Errorf("another history than elsewhere: %q is not line %d of %s", line, i+1, historiesFile)
		}
	}
}

// playFar is a script of what the others have none of: ways with an MTU, on which datagrams come twice and overtake
// each other, clocks that drift, look-ups that fail, and tasks that may do something at a rate only. What its tasks see
// is a part of the history.
func playFar(w *sim.World) {
	w.Link = sim.Link{Latency: 3 * time.Millisecond, Jitter: 2 * time.Millisecond, Loss: 0.013, Duplicate: 0.05,
		Reorder: 0.1, Bandwidth: 1 << 20, MTU: 1400}
	server := w.Host("server")
	server.DriftClock(1.0 / 70_001)
	server.Run(nil, func(l *ringo.Loop) error {
		l.Go(func() { w.Check(answersDatagrams(l)) })
		return echo(l)
	})
	w.RunFor(time.Second) // it listens by then
	var all []*sim.Program
	for i := range 3 {
		h := w.Host(fmt.Sprint("client", i))
		h.Names = sim.Names{Latency: 7 * time.Millisecond, Fail: 0.1, Wrong: 0.1}
		h.DriftClock(-1.0 / 30_011)
		all = append(all, h.Run(nil, func(l *ringo.Loop) error {
			f := &far{w: w, h: h, l: l, limit: rate.NewLimiter(17.3, 2)}
			for range 20 {
				f.step()
			}
			return nil
		}))
	}
	meter := w.Host("meter")
	all = append(all, meter.Run(nil, func(l *ringo.Loop) error { return metered(w, meter, l) }))
	w.After(2*time.Second, func() { server.StepClock(time.Minute) })
	w.Check(w.Wait(all...))
}

// answersDatagrams sends datagrams back.
func answersDatagrams(l *ringo.Loop) error {
	c, err := sock.ListenPacket(l, "udp", ":7000")
	if err != nil {
		return err
	}
	p := make([]byte, 1<<16)
	for {
		n, from, err := c.ReadFromAddrPort(p)
		if err != nil {
			return nil // the world ends
		}
		c.WriteToAddrPort(p[:n], from)
	}
}

// metered waits at rates of which one has a token just now, or in a nanosecond: the last bit of a sum decides.
func metered(w *sim.World, h *sim.Host, l *ringo.Loop) error {
	chance := w.Rand()
	for range 50 {
		of := 1 + chance.IntN(30)
		limit := rate.NewLimiter(rate.Limit(of), 3)
		for range 20 {
			if err := l.Sleep(time.Duration(chance.IntN(4)) * time.Second / time.Duration(10*of)); err != nil {
				return err
			}
			if err := limit.WaitN(nil, 1); err != nil {
				return err
			}
			w.Note(h, fmt.Sprint(w.Elapsed().Nanoseconds()))
		}
	}
	return nil
}

// far is a client of playFar.
type far struct {
	w     *sim.World
	h     *sim.Host
	l     *ringo.Loop
	limit *rate.Limiter
}

// saw notes what the client has seen, as numbers.
func (f *far) saw(what string, n int, err error) {
	var no posix.Errno
	number := int32(0)
	switch {
	case errors.As(err, &no):
		number = posix.Result(no)
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, os.ErrDeadlineExceeded):
		number = 1
	case err != nil:
		number = 2
	}
	f.w.Note(f.h, fmt.Sprintf("%s: %d, %d at %d", what, n, number, f.h.Clock().UnixNano()))
}

// step does something.
func (f *far) step() {
	chance := f.w.Rand()
	size := chance.IntN(30_000)
	if f.limit.WaitN(nil, 1+chance.IntN(2)) != nil {
		return
	}
	switch chance.IntN(3) {
	case 0: // datagrams, in fragments
		c, err := sock.Dial(f.l, "udp", "server:7000")
		if err != nil {
			f.saw("dial", 0, err)
			return
		}
		defer c.Close()
		c.SetDeadline(f.l.Now().Add(100 * time.Millisecond))
		for range 5 {
			n, err := c.Write(make([]byte, size))
			f.saw("write", n, err)
			n, err = c.Read(make([]byte, 1<<16))
			f.saw("read", n, err)
		}
	case 1: // a stream
		c, err := sock.Dial(f.l, "tcp", "server:7000")
		if err != nil {
			f.saw("dial", 0, err)
			return
		}
		defer c.Close()
		f.l.Go(func() { c.Write(make([]byte, size)); c.CloseWrite() })
		n := 0
		for p := make([]byte, 1000); err == nil; {
			var k int
			k, err = c.Read(p)
			n += k
		}
		f.saw("stream", n, err)
	case 2: // files
		name := fmt.Sprint("/data/", size%3)
		f.saw("remove", 0, file.Remove(name))
		f.saw("write", size, file.WriteFileAtomic(name, make([]byte, size), 0o600))
		entries, err := file.ReadDir("/data")
		f.saw("list", len(entries), err)
		f.saw("make", 0, file.Mkdir(name, 0o700))
		info, err := file.Stat(name)
		if err == nil {
			f.saw("stat", int(info.Size()), file.Chtimes(name, time.Time{}, f.h.Clock()))
		}
	}
}
