package main

import (
	"bufio"
	"bytes"
	"hash/maphash"
	"strconv"
	"sync/atomic"

	"ringo"
	"ringo/sock"
)

// shards is the store of redis.go without a lock: each loop has the keys of one shard, which its tasks alone touch. A
// connection's task asks the loops that have the keys of its commands, all that came together at once, and sends the
// answers in order.
type shards struct {
	seed   maphash.Seed
	values [loopsMax]map[string][]byte
}

// loopsMax bounds -loops.
const loopsMax = 64

func newShards(*options) (*program, error) {
	s := &shards{seed: maphash.MakeSeed()}
	for i := range s.values {
		s.values[i] = map[string][]byte{}
	}
	return &program{sharded: s.serve}, nil
}

// asker is one connection's side.
type asker struct {
	s       *shards
	loops   []*ringo.Loop
	asked   []*ask // of a batch, and places for the next
	pending atomic.Int32
	over    *ringo.Chan[struct{}] // the last answer of a batch is there
}

// ask is one command on its way to its loop.
type ask struct {
	cmd    command
	shard  int
	answer []byte
	run    func()
}

func (s *shards) serve(c *sock.Conn) {
	defer c.Close()
	a := &asker{s: s, loops: c.Loop().Loops(), over: ringo.NewChan[struct{}](1)}
	r, w := bufio.NewReader(c), bufio.NewWriter(c)
	for {
		n := 0
		for n == 0 || r.Buffered() > 0 {
			if n == len(a.asked) {
				a.add()
			}
			k := a.asked[n]
			if err := k.cmd.read(r); err != nil {
				return
			}
			k.shard = a.shardOf(&k.cmd)
			n++
		}
		if a.ask(c.Loop(), a.asked[:n]) != nil {
			return
		}
		for _, k := range a.asked[:n] {
			w.Write(k.answer)
		}
		if err := w.Flush(); err != nil {
			return
		}
	}
}

// add makes one more place.
func (a *asker) add() {
	k := &ask{}
	k.run = func() {
		k.do(a.s.values[k.shard])
		if a.pending.Add(-1) == 0 {
			a.over.Send(struct{}{})
		}
	}
	a.asked = append(a.asked, k)
}

func (a *asker) shardOf(cmd *command) int {
	if cmd.words < 2 {
		return 0
	}
	return int(maphash.Bytes(a.s.seed, cmd.word(1)) % uint64(len(a.loops)))
}

// ask has each command run where its key is, and parks until all have.
func (a *asker) ask(own *ringo.Loop, batch []*ask) error {
	a.pending.Store(1)
	for _, k := range batch {
		if k.shard == own.Index() {
			k.do(a.s.values[k.shard])
			continue
		}
		a.pending.Add(1)
		if err := a.loops[k.shard].Post(k.run); err != nil {
			return err
		}
	}
	if a.pending.Add(-1) == 0 {
		return nil
	}
	_, err := a.over.Recv()
	return err
}

func (k *ask) do(values map[string][]byte) {
	b := k.answer[:0]
	switch name := k.cmd.word(0); {
	case k.cmd.words == 3 && bytes.EqualFold(name, []byte("SET")):
		values[string(k.cmd.word(1))] = bytes.Clone(k.cmd.word(2))
		b = append(b, "+OK\r\n"...)
	case k.cmd.words == 2 && bytes.EqualFold(name, []byte("GET")):
		v, ok := values[string(k.cmd.word(1))]
		if !ok {
			b = append(b, "$-1\r\n"...)
			break
		}
		b = strconv.AppendInt(append(b, '$'), int64(len(v)), 10)
		b = append(append(append(b, "\r\n"...), v...), "\r\n"...)
	case k.cmd.words == 1 && bytes.EqualFold(name, []byte("PING")):
		b = append(b, "+PONG\r\n"...)
	default:
		b = append(b, "-ERR unknown command, or another number of arguments\r\n"...)
	}
	k.answer = b
}
