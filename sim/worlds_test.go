package sim_test

import (
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"sync"
	"testing"
	"time"

	"ringo"
	"ringo/file"
	"ringo/internal/posix"
	"ringo/sim"
)

var (
	worlds = flag.Int("worlds", 50, "how many worlds TestWorlds plays")
	hashes = flag.String("hashes", "", "where TestWorlds writes the hash of all of them; empty: nowhere")
)

// Worlds with all sorts of faults, in which no answer may be another's, somebody must be answered, and what was written
// and synced must be there after a crash. .ci/worlds plays them in two builds, and compares their histories.
func TestWorlds(t *testing.T) {
	var mu sync.Mutex
	var sum uint64
	sim.Explore(t, *worlds, func(w *sim.World) {
		playWorld(w)
		mu.Lock()
		sum ^= w.Hash() * (2*w.Seed() + 1)
		mu.Unlock()
	})
	t.Logf("%d worlds: %x", *worlds, sum)
	if *hashes != "" {
		if err := os.WriteFile(*hashes, fmt.Appendf(nil, "%x\n", sum), 0o644); err != nil {
			t.Error(err)
		}
	}
}

// playWorld is the script.
func playWorld(w *sim.World) {
	w.Link = sim.Link{Latency: time.Millisecond, Jitter: time.Millisecond, Loss: 0.02, Split: 0.1,
		Bandwidth: 1 << 24}
	server := w.Host("server")
	server.Disk = sim.Disk{Latency: 100 * time.Microsecond, Jitter: time.Millisecond, Short: 0.1, Decay: 0.001}
	log := &turnLog{w: w, acked: -1}
	server.Run(nil, func(l *ringo.Loop) error {
		log.check()
		l.Go(func() { log.run(l) })
		return echo(l)
	})
	var clients []*sim.Program
	answered := 0
	for i := range 3 {
		h := w.Host(fmt.Sprint("client", i))
		h.Calls = sim.Calls{ShortSend: 0.1, Shortage: 0.01}
		clients = append(clients, h.Run(nil, func(l *ringo.Loop) error {
			for range 5 {
				err := asksAnd(l, 5, time.Second, func() { answered++ })
				if errors.Is(err, errAnswer) { // what else goes wrong is no matter here
					return err
				}
				if err := l.Sleep(time.Second); err != nil {
					return err
				}
			}
			return nil
		}))
	}
	w.Storm(20*time.Second, sim.Storm{Crash: 20 * time.Second, Pause: 10 * time.Second, Partition: 20 * time.Second,
		Reset: 20 * time.Second, Clock: 10 * time.Second, MidTurn: 0.0005})
	w.Wait(clients...)
	lived := 0
	for _, c := range clients {
		if err := c.Err(); err != sim.ErrCrashed { // all may be down at once
			w.Check(err)
			lived++
		}
	}
	if lived > 0 && (answered == 0 || log.acked < 0) {
		w.Errorf("nobody was answered, or nothing written: %d, %d", answered, log.acked)
	}
}

// turnLog is a number on a disk that may not go back.
type turnLog struct {
	w     *sim.World
	begun int // of writes
	acked int // the last one that was reported to be on the disk
}

const turnFile = "/state"

// run writes one number after the other.
func (g *turnLog) run(l *ringo.Loop) {
	for l.Sleep(time.Second) == nil {
		g.begun++
		n := g.begun
		if file.WriteFileAtomic(turnFile, fmt.Appendf(nil, "turn %d", n), 0o600) == nil {
			g.acked = n
		}
	}
}

// check reads what is on the disk, after a start or a crash.
func (g *turnLog) check() {
	text, err := file.ReadFile(turnFile)
	n := 0
	switch {
	case errors.Is(err, fs.ErrNotExist) && g.acked < 0, errors.Is(err, posix.EIO): // a sector has decayed
	case err != nil:
		g.w.Errorf("turn %d was written: %v", g.acked, err)
	default:
		if _, err := fmt.Sscanf(string(text), "turn %d", &n); err != nil || n < g.acked || n > g.begun ||
			string(text) != fmt.Sprintf("turn %d", n) {
			g.w.Errorf("turn %d was written, and %d were begun: the file has %q", g.acked, g.begun, text)
		}
	}
}
