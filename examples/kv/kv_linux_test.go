//go:build linux

package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"testing"
	"time"

	"ringo"
	"ringo/examples/kv/raftkv"
	"ringo/internal/test/testmain"
)

func TestMain(m *testing.M) { testmain.Main(m) }

var kills = flag.Duration("kills", 0, "how long TestKills goes on at least; it kills six times in any case")

// Three processes serve, also when one is killed, and when all are and begin again.
func TestProcesses(t *testing.T) {
	c := newCluster(t, 3, "50")
	c.ask("", "put", "colour", "green")
	c.ask("green\n", "get", "colour")
	c.ask("false\n", "swap", "colour", "red", "blue")
	c.kill(0)
	c.ask("", "put", "colour", "blue")
	c.kill(1)
	c.kill(2)
	for i := range 3 {
		c.start(i)
	}
	c.ask("blue\n", "get", "colour")
	if err := c.replicas[0].Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if err := c.replicas[0].Wait(); err != nil {
		t.Errorf("an interrupted replica: %v", err)
	}
	c.start(0)
}

// One that joins takes the place of another, with all that was there before: it gets a snapshot.
func TestMembers(t *testing.T) {
	c := newCluster(t, 3, "50")
	c.ask("", "put", "colour", "green")
	long := strings.Repeat("x", 30_000)
	for i := range 10 { // more than a chunk
		c.ask("", "put", fmt.Sprint(i), long)
	}
	joined := c.add("-join")
	c.ask("", "add", c.addrs[joined])
	c.ask("", "promote", c.addrs[joined])
	c.ask("", "remove", c.addrs[0])
	c.kill(0)
	c.kill(1) // of three two are left, one of which has joined
	c.ask("green\n", "get", "colour")
	c.ask("", "put", "colour", "blue")
	c.kill(joined)
	c.start(joined)
	c.ask("blue\n", "get", "colour")
	c.ask(long+"\n", "get", "9")
}

// While clients write, replicas are killed and begin again, one or all. No write that was acknowledged is lost.
func TestKills(t *testing.T) {
	c := newCluster(t, 3, "50")
	begin, rounds, busy := time.Now(), 0, false
	acked := c.writes(8, func(l *ringo.Loop, acked int) (more bool) { // after each hundred writes
		if acked%100 != 0 || busy {
			return true
		}
		rounds++
		busy = true
		defer func() { busy = false }()
		err := l.Offload(func(context.Context) error {
			c.killAndStart()
			return nil
		})
		return err == nil && (rounds < 6 || time.Since(begin) < *kills)
	})
	if len(acked) < 500 {
		t.Errorf("%d writes were acknowledged, want more", len(acked))
	}
	lost := c.lost(acked)
	if len(lost) > 0 {
		t.Errorf("of %d writes that were acknowledged %d are lost: %.10q", len(acked), len(lost), lost)
	}
	t.Logf("%d rounds of kills, %d writes were acknowledged", rounds, len(acked))
}

// killAndStart kills one replica or all, and starts them again.
func (c *cluster) killAndStart() {
	first, last := 0, len(c.replicas)-1
	if rand.IntN(3) > 0 {
		first = rand.IntN(len(c.replicas))
		last = first
	}
	for i := first; i <= last; i++ {
		c.kill(i)
	}
	for i := first; i <= last; i++ {
		c.start(i)
	}
}

// writes has tasks write, each one key after the other, until after says for an acknowledged one that it is enough.
func (c *cluster) writes(tasks int, after func(l *ringo.Loop, acked int) bool) (acked []string) {
	c.t.Helper()
	enough := false
	err := ringo.Run(c.t.Context(), &ringo.Config{Loops: 1}, func(l *ringo.Loop) error {
		g := ringo.NewGroup(l)
		for task := range tasks {
			g.Go(func() error {
				client := raftkv.Client{Peers: c.addrs, Timeout: 2 * time.Second}
				defer client.Close()
				for i := 0; !enough; i++ {
					key := fmt.Sprintf("%d.%d", task, i)
					_, err := client.Do(l, raftkv.Entry{Kind: raftkv.Put, Key: []byte(key), Value: []byte(key)})
					switch {
					case err == nil:
						acked = append(acked, key)
						enough = !after(l, len(acked)) || enough
					case !errors.Is(err, raftkv.ErrUnknown):
						return err
					}
				}
				return nil
			})
		}
		return g.Wait()
	})
	if err != nil {
		c.t.Fatal(err)
	}
	return acked
}

// lost is those of the keys that are not there.
func (c *cluster) lost(keys []string) (lost []string) {
	c.t.Helper()
	err := ringo.Run(c.t.Context(), &ringo.Config{Loops: 1}, func(l *ringo.Loop) error {
		g := ringo.NewGroup(l)
		next := 0
		for range 16 {
			g.Go(func() error {
				client := raftkv.Client{Peers: c.addrs, Timeout: 2 * time.Second}
				defer client.Close()
				for next < len(keys) {
					key := keys[next]
					next++
					rep, err := client.Do(l, raftkv.Entry{Kind: raftkv.Get, Key: []byte(key)})
					if err != nil {
						return err
					}
					if string(rep.Value) != key {
						lost = append(lost, key)
					}
				}
				return nil
			})
		}
		return g.Wait()
	})
	if err != nil {
		c.t.Fatal(err)
	}
	return lost
}

// Writes of three replicas, each of which is on the disks of two when it is acknowledged.
func BenchmarkWrites(b *testing.B) {
	for _, tasks := range []int{1, 16, 64, 256} {
		b.Run(fmt.Sprintf("clients=%d", tasks), func(b *testing.B) {
			c := newCluster(b, 3, "0")
			c.ask("", "put", "colour", "green")
			b.ResetTimer()
			c.writes(tasks, func(_ *ringo.Loop, acked int) bool { return acked < b.N })
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "writes/s")
		})
	}
}
