// Package check explores worlds in which raftkv's replicas and clients have a hard time, and checks that what the
// clients saw is linearizable.
package check

import (
	"crypto/rand"
	"errors"
	"flag"
	"fmt"
	"math"
	mathrand "math/rand/v2"
	"os"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"

	"ringo"
	"ringo/examples/kv/raftkv"
	"ringo/sim"
)

var seeds = flag.Int("seeds", 200, "how many worlds are explored")

var peers = []string{"one:7000", "two:7000", "three:7000"}

const (
	clients = 5
	keys    = 3

	callsMin = keys // that are done in a world, which is calm at its end

	stormy = 10 * time.Second

	snapshot = 20 // entries from one snapshot to the next

	down = 150 * time.Millisecond // how long a replica is, also after its disk's error
)

// zeros is what raft throws its dice with, which have no seed: so all that is left to chance is the world's.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

func TestMain(m *testing.M) {
	rand.Reader = zeros{}
	os.Exit(m.Run())
}

// counted is what the histories of all worlds had in them.
var counted struct{ done, unknown, changes atomic.Int64 }

func TestLinearizable(t *testing.T) {
	sim.Explore(t, *seeds, world)
	t.Logf("%d worlds: %d calls were done, of %d nobody knows; %d changes of members", *seeds, counted.done.Load(),
		counted.unknown.Load(), counted.changes.Load())
}

// One seed gives one history, with these programs too.
func TestSeeds(t *testing.T) {
	for seed := uint64(1); seed <= 3; seed++ {
		var hashes [2]uint64
		for i := range hashes {
			sim.Run(t, seed, func(w *sim.World) {
				world(w)
				hashes[i] = w.Hash()
			})
		}
		if hashes[0] != hashes[1] {
			t.Errorf("seed %d: %x, then %x", seed, hashes[0], hashes[1])
		}
	}
}

// world is three replicas and some clients in a storm, and then calm, in which all must be well again.
func world(w *sim.World) {
	w.Link = sim.Link{Latency: time.Millisecond, Jitter: 5 * time.Millisecond, Loss: 0.01}
	var replicas []*sim.Host
	for _, name := range []string{"one", "two", "three", "four"} {
		h := w.Host(name)
		h.Disk = sim.Disk{Latency: 100 * time.Microsecond, Sync: 2 * time.Millisecond, Jitter: 5 * time.Millisecond,
			Short: 0.01, FailSync: 0.0005}
		replica := raftkv.Replica{Self: name + ":7000", Peers: peers, Join: name == "four", Dir: "/", Rand: own(w),
			Election: 200 * time.Millisecond, Snapshot: snapshot}
		h.Run(nil, func(l *ringo.Loop) error {
			for {
				err := replica.Run(l)
				if w.Logf("%s: %v", name, err); errors.Is(err, raftkv.ErrCorrupt) {
					w.Errorf("%s: a crash has left what none can: %v", name, err)
				}
				if !errors.Is(err, syscall.EIO) {
					return err
				}
				// After its disk's error it starts again, on a machine that has not crashed: what was not written is
				// there to be read.
				if err := l.Sleep(down); err != nil {
					return err
				}
			}
		})
		replicas = append(replicas, h)
	}
	h := &history{}
	end := w.Now().Add(stormy)
	var programs []*sim.Program
	for i := range clients {
		r := own(w)
		programs = append(programs, w.Host(fmt.Sprint("client", i)).Run(nil, func(l *ringo.Loop) error {
			for w.Now().Before(end) {
				if err := h.calls(w, l, r); err != nil {
					return err
				}
			}
			return nil
		}))
	}
	admin := own(w)
	programs = append(programs, w.Host("admin").Run(nil, func(l *ringo.Loop) error {
		for w.Now().Before(end) {
			if err := changes(l, admin); err != nil {
				return err
			}
		}
		return nil
	}))
	w.Storm(stormy, sim.Storm{Hosts: replicas, Crash: 2 * time.Second, Down: down, MidTurn: 0.0003,
		Partition: 3 * time.Second, Cut: 500 * time.Millisecond, Pause: 3 * time.Second, Still: 500 * time.Millisecond,
		Clock: 5 * time.Second})
	quarrels(w, replicas)
	w.Check(w.Wait(programs...))
	w.MendAll()
	for _, r := range replicas {
		r.Disk.FailSync = 0
		r.Crash()
		r.Restart()
	}
	w.Check(w.Wait(w.Host("last").Run(nil, func(l *ringo.Loop) error {
		c := raftkv.Client{Peers: peers, Timeout: 2 * time.Second}
		defer c.Close()
		return l.WithTimeout(time.Minute, func() error {
			for key := range keys {
				if _, err := h.do(w, l, &c, raftkv.Get, fmt.Sprint(key), "", ""); err != nil {
					return fmt.Errorf("in calm weather: %w", err)
				}
			}
			return nil
		})
	})))
	if !w.Failed() {
		h.check(w)
	}
}

// own is chance for one program: what it gives does not depend on when others ask.
func own(w *sim.World) *mathrand.Rand {
	return mathrand.New(mathrand.NewPCG(w.Rand().Uint64(), w.Rand().Uint64()))
}

// quarrels has now and then one way between two replicas, or both, be cut for a while.
func quarrels(w *sim.World, hosts []*sim.Host) {
	r := own(w)
	for at := time.Duration(0); at < stormy; at += time.Duration(r.Int64N(int64(2 * time.Second))) {
		a, b := r.IntN(len(hosts)), r.IntN(len(hosts)-1)
		if b >= a {
			b++
		}
		both, d := r.IntN(2) == 0, time.Duration(r.Int64N(int64(time.Second)))
		w.After(at, func() {
			w.Cut(hosts[a], hosts[b])
			if both {
				w.Cut(hosts[b], hosts[a])
			}
		})
		w.After(at+d, func() {
			w.Mend(hosts[a], hosts[b])
			w.Mend(hosts[b], hosts[a])
		})
	}
}

// history is what the clients of a world asked and were told.
type history struct {
	ops  []porcupine.Operation
	who  int // of the next client: one that does not know how its call ended never calls again
	next int // each value is written once
}

// input and output are those of a call.
type input struct {
	kind            raftkv.Kind
	key, value, old string
}

type output struct {
	value   string
	ok      bool
	unknown bool
}

// calls is a client's life, until the end of one call is unknown.
func (h *history) calls(w *sim.World, l *ringo.Loop, r *mathrand.Rand) error {
	c := raftkv.Client{Peers: peers, Timeout: 500 * time.Millisecond}
	defer c.Close()
	known := ""
	for range 20 {
		if err := l.Sleep(time.Duration(r.Int64N(int64(100 * time.Millisecond)))); err != nil {
			return err
		}
		c.Prefer(peers[r.IntN(len(peers))])
		key := fmt.Sprint(r.IntN(keys))
		h.next++
		value := fmt.Sprint("v", h.next)
		kind := []raftkv.Kind{raftkv.Get, raftkv.Get, raftkv.Put, raftkv.Swap}[r.IntN(4)]
		var rep raftkv.Reply
		err := l.WithTimeout(1500*time.Millisecond, func() (err error) {
			rep, err = h.do(w, l, &c, kind, key, value, known)
			return err
		})
		switch {
		case errors.Is(err, raftkv.ErrUnknown):
			return nil
		case err != nil && !errors.Is(err, os.ErrDeadlineExceeded):
			return err
		case err == nil && kind == raftkv.Get:
			known = string(rep.Value)
		}
	}
	return nil
}

// changes has one replica be a member, or none any more. Two of the four always are.
func changes(l *ringo.Loop, r *mathrand.Rand) error {
	c := raftkv.Client{Peers: peers, Timeout: 500 * time.Millisecond}
	defer c.Close()
	who := []string{"three:7000", "four:7000"}[r.IntN(2)]
	for _, kind := range []raftkv.Kind{raftkv.Add, raftkv.Promote, raftkv.Remove}[r.IntN(3):] {
		if err := l.Sleep(time.Duration(r.Int64N(int64(500 * time.Millisecond)))); err != nil {
			return err
		}
		err := l.WithTimeout(1500*time.Millisecond, func() error {
			_, err := c.Do(l, raftkv.Entry{Kind: kind, Key: []byte(who)})
			return err
		})
		switch {
		case err == nil:
			counted.changes.Add(1)
		case errors.Is(err, raftkv.ErrRefused), errors.Is(err, raftkv.ErrUnknown):
		case errors.Is(err, os.ErrDeadlineExceeded):
		default:
			return err
		}
	}
	return nil
}

// do makes a call and notes it.
func (h *history) do(w *sim.World, l *ringo.Loop, c *raftkv.Client, kind raftkv.Kind, key, value, old string) (
	raftkv.Reply, error) {
	if kind == raftkv.Get {
		value, old = "", ""
	}
	op := porcupine.Operation{ClientId: h.who, Input: input{kind, key, value, old}, Call: int64(w.Elapsed())}
	h.who++ // one call each: porcupine wants no more than that calls of one client don't overlap
	rep, err := c.Do(l, raftkv.Entry{Kind: kind, Key: []byte(key), Value: []byte(value), Old: []byte(old)})
	op.Return, op.Output = int64(w.Elapsed()), output{value: string(rep.Value), ok: rep.OK}
	switch {
	case err == nil:
		h.ops = append(h.ops, op)
	case errors.Is(err, raftkv.ErrUnknown):
		op.Return, op.Output = math.MaxInt64, output{unknown: true}
		h.ops = append(h.ops, op)
	}
	return rep, err
}

// check fails the world if no order of the calls explains what they gave.
func (h *history) check(w *sim.World) {
	done := 0
	for _, op := range h.ops {
		if !op.Output.(output).unknown {
			done++
		}
	}
	counted.done.Add(int64(done))
	counted.unknown.Add(int64(len(h.ops) - done))
	if done < callsMin {
		w.Errorf("%d calls were done, want %d at least", done, callsMin)
	}
	switch result, _ := porcupine.CheckOperationsVerbose(model, h.ops, time.Minute); result {
	case porcupine.Illegal:
		w.Errorf("not linearizable: %d calls", len(h.ops))
	case porcupine.Unknown:
		w.Errorf("%d calls were too many to check", len(h.ops))
	}
}

// model is what a key-value server does, one call after the other: the state is the value of one key.
var model = porcupine.Model{
	Partition: func(ops []porcupine.Operation) (parts [][]porcupine.Operation) {
		byKey := map[string][]porcupine.Operation{}
		for _, o := range ops {
			key := o.Input.(input).key
			byKey[key] = append(byKey[key], o)
		}
		for _, part := range byKey {
			parts = append(parts, part)
		}
		return parts
	},
	Init: func() any { return "" },
	Step: func(state, in, out any) (bool, any) {
		i, o, value := in.(input), out.(output), state.(string)
		switch i.kind {
		case raftkv.Get:
			return o.value == value, value
		case raftkv.Put:
			return true, i.value
		}
		if value == i.old {
			return o.unknown || o.ok, i.value
		}
		return o.unknown || !o.ok, value
	},
	DescribeOperation: func(in, out any) string { return fmt.Sprintf("%v -> %v", in, out) },
}
