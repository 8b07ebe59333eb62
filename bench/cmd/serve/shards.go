package main

import (
	"bufio"
	"bytes"
	"hash/maphash"
	"strconv"

	"ringo"
	"ringo/sock"
)

// shards is the store of redis.go without a lock: each loop has the keys of one shard, which only its tasks use. A
// connection's task asks the loops that have the keys of its commands, for all commands that came together at once,
// and sends the answers in order.
type shards struct {
	seed   maphash.Seed
	values *ringo.Sharded[map[string][]byte]
}

func newShards(*options) (*program, error) {
	s := &shards{maphash.MakeSeed(), ringo.NewSharded(func(*ringo.Loop) (map[string][]byte, error) {
		return map[string][]byte{}, nil
	})}
	return &program{start: s.values.Start, sharded: s.serve}, nil
}

// ask is one command on its way to its loop.
type ask struct {
	cmd    command
	answer []byte
	run    func(values map[string][]byte)
}

func (s *shards) serve(c *sock.Conn) {
	var asked []*ask // the commands that came together; the rest is reused
	batch := s.values.Batch()
	r, w := bufio.NewReader(c), bufio.NewWriter(c)
	for {
		n := 0
		for n == 0 || r.Buffered() > 0 {
			if n == len(asked) {
				k := new(ask)
				k.run = k.do
				asked = append(asked, k)
			}
			k := asked[n]
			if err := k.cmd.read(r); err != nil {
				return
			}
			batch.Add(s.shardOf(&k.cmd), k.run)
			n++
		}
		if err := batch.Call(); err != nil {
			return
		}
		for _, k := range asked[:n] {
			w.Write(k.answer)
		}
		if err := w.Flush(); err != nil {
			return
		}
	}
}

func (s *shards) shardOf(cmd *command) *ringo.Shard[map[string][]byte] {
	var hash uint64
	if cmd.words > 1 {
		hash = maphash.Bytes(s.seed, cmd.word(1))
	}
	return s.values.At(hash)
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
