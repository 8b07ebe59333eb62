//go:build linux

package sim_test

import (
	"flag"
	"fmt"
	"os"
	"sync"
	"testing"
	"time"

	"ringo"
	"ringo/file"
	"ringo/sim"
)

var (
	worlds = flag.Int("worlds", 50, "how many worlds TestWorlds plays")
	hashes = flag.String("hashes", "", "where TestWorlds writes the hash of all of them; empty: nowhere")
)

// Worlds with all sorts of faults. .ci/worlds plays them in two builds, and compares their histories.
func TestWorlds(t *testing.T) {
	var mu sync.Mutex
	var sum uint64
	sim.Explore(t, *worlds, func(w *sim.World) {
		w.Link = sim.Link{Latency: time.Millisecond, Jitter: time.Millisecond, Loss: 0.02, Split: 0.1,
			Bandwidth: 1 << 24}
		server := w.Host("server")
		server.Disk = sim.Disk{Latency: 100 * time.Microsecond, Jitter: time.Millisecond, Short: 0.1, Decay: 0.001}
		server.Run(nil, func(l *ringo.Loop) error {
			l.Go(func() {
				for i := 0; l.Sleep(time.Second) == nil; i++ {
					file.WriteFileAtomic("/data/state", fmt.Appendf(nil, "turn %d", i), 0o600)
				}
			})
			return echo(l)
		})
		var clients []*sim.Program
		for i := range 3 {
			h := w.Host(fmt.Sprint("client", i))
			h.Calls = sim.Calls{ShortSend: 0.1, Shortage: 0.01}
			clients = append(clients, h.Run(nil, func(l *ringo.Loop) error {
				for range 5 {
					asks(l, 5, time.Second) // what goes wrong is no matter here
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
		for _, c := range clients {
			if err := c.Err(); err != sim.ErrCrashed { // all may be down at once
				w.Check(err)
			}
		}
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
