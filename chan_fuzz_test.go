package ringo_test

import (
	"context"
	"math/rand/v2"
	"slices"
	"testing"

	"ringo"
)

// chanModel is what a Chan should be, in lists.
type chanModel struct {
	capacity  int
	closed    bool
	buffer    []int
	senders   []int // the values that wait
	receivers []int // the numbers of those who wait
	results   map[int]result
}

// result is how a call ended: of Recv with a value.
type result struct {
	v   int
	err error
}

func (m *chanModel) send(id, v int, wait bool) {
	switch {
	case m.closed:
		m.results[id] = result{0, ringo.ErrClosed}
	case len(m.receivers) > 0:
		m.results[m.receivers[0]] = result{v, nil}
		m.receivers = m.receivers[1:]
		m.results[id] = result{}
	case len(m.buffer) < m.capacity:
		m.buffer = append(m.buffer, v)
		m.results[id] = result{}
	case wait:
		m.senders = append(m.senders, id)
	}
}

func (m *chanModel) recv(id int, wait bool) {
	if len(m.buffer) == 0 && len(m.senders) > 0 { // as if there had been room for a moment
		m.admit()
	}
	switch {
	case len(m.buffer) > 0:
		m.results[id] = result{m.buffer[0], nil}
		m.buffer = m.buffer[1:]
		if len(m.senders) > 0 && len(m.buffer) < m.capacity {
			m.admit()
		}
	case m.closed:
		m.results[id] = result{0, ringo.ErrClosed}
	case wait:
		m.receivers = append(m.receivers, id)
	}
}

// admit takes in the first sender; a value is its sender's number.
func (m *chanModel) admit() {
	m.buffer = append(m.buffer, m.senders[0])
	m.results[m.senders[0]] = result{}
	m.senders = m.senders[1:]
}

func (m *chanModel) close() {
	m.closed = true
	for _, id := range slices.Concat(m.senders, m.receivers) {
		m.results[id] = result{0, ringo.ErrClosed}
	}
	m.senders, m.receivers = nil, nil
}

func (m *chanModel) cancel(id int) {
	for _, q := range []*[]int{&m.senders, &m.receivers} {
		if i := slices.Index(*q, id); i >= 0 {
			*q = slices.Delete(*q, i, i+1)
			m.results[id] = result{0, context.Canceled}
		}
	}
}

// playChan runs a program of calls, one byte each, on a Chan and on the model, and
// compares after each. A call that waits is a task of its own; whether it is plain or
// a Select is the byte's choice, and so is whom a cancel meets.
func playChan(t *testing.T, cfg ringo.Config, program []byte) {
	if len(program) == 0 {
		return
	}
	mustRun(t, cfg, func(l *ringo.Loop) {
		m := &chanModel{capacity: int(program[0] % 4), results: map[int]result{}}
		c := ringo.NewChan[int](m.capacity)
		results := map[int]result{}
		var tasks []*ringo.Task
		for step, b := range program[1:] {
			id, selects := len(tasks), b&8 != 0
			var task *ringo.Task
			switch arg := int(b >> 4); b & 7 {
			case 0, 1, 2:
				task = l.Go(func() { results[id] = result{0, doSend(c, id, selects)} })
				m.send(id, id, true)
			case 3, 4, 5:
				task = l.Go(func() { results[id] = doRecv(c, selects) })
				m.recv(id, true)
			case 6:
				tryChan(c, m, arg, id, results)
			case 7:
				if len(tasks) > 0 {
					who := len(tasks) - 1 - arg%len(tasks)
					if tasks[who] != nil {
						tasks[who].Cancel()
						m.cancel(who)
					}
				}
			}
			tasks = append(tasks, task)
			l.Sleep(0)
			for id, want := range m.results {
				if got, ok := results[id]; got != want || !ok {
					t.Fatalf("step %d of %v: call %d gave %+v (ended: %v), want %+v", step, program, id, got, ok, want)
				}
			}
			if len(results) != len(m.results) || c.Len() != len(m.buffer) ||
				c.Waiting() != len(m.senders)+len(m.receivers) {
				t.Fatalf("step %d of %v: %d calls ended, %d values, %d in line; want %d, %d, %d+%d", step, program,
					len(results), c.Len(), c.Waiting(), len(m.results), len(m.buffer), len(m.senders), len(m.receivers))
			}
		}
		c.Close()
	})
}

// tryChan makes a call that does not wait; arg says which. One that did nothing is not
// told of.
func tryChan(c *ringo.Chan[int], m *chanModel, arg, id int, results map[int]result) {
	switch {
	case arg == 15:
		c.Close()
		m.close()
	case arg%2 == 0:
		if m.send(id, id, false); m.closed {
			delete(m.results, id)
		}
		if c.TrySend(id) {
			results[id] = result{}
		}
	default:
		if m.recv(id, false); m.results[id].err != nil {
			delete(m.results, id)
		}
		if v, ok := c.TryRecv(); ok {
			results[id] = result{v, nil}
		}
	}
}

func doSend(c *ringo.Chan[int], v int, selects bool) (err error) {
	if !selects {
		return c.Send(v)
	}
	_, err = ringo.Select(ringo.Case{}, ringo.SendFrom(c, &v))
	return err
}

func doRecv(c *ringo.Chan[int], selects bool) (r result) {
	if selects {
		_, r.err = ringo.Select(ringo.RecvInto(c, &r.v), ringo.Case{})
		return r
	}
	r.v, r.err = c.Recv()
	return r
}

func FuzzChan(f *testing.F) {
	for _, seed := range []string{"\x00", "\x01\x00\x00\x03\x03", "\x02\x03\x0b\x00\x08\x07\x17",
		"\x00\x00\x08\x27\x07\x03", "\x03\x00\x00\x00\x00\x00\xf6\x03\x03", "\x00\x03\x0b\x03\x17\x06\x06\xf6"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, program []byte) {
		playChan(t, anyDriver(t), program[:min(len(program), 200)])
	})
}

// Random programs, for those who don't fuzz.
func TestChanModel(t *testing.T) {
	cfg := anyDriver(t)
	for range 100 {
		seed := rand.Uint64()
		r := rand.New(rand.NewPCG(seed, 0))
		program := make([]byte, 100)
		for i := range program {
			program[i] = byte(r.Uint32())
		}
		playChan(t, cfg, program)
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
}
