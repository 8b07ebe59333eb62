package ringo_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"ringo"
)

// From each kind of caller to each kind.
func TestChanBetween(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		cfg.Loops = 2
		beside(t, cfg, func(l *ringo.Loop) {
			ways := map[string]func(func()){
				"this loop":    func(f func()) { l.Post(f) },
				"another loop": func(f func()) { l.Loops()[1].Post(f) },
				"a goroutine":  func(f func()) { go f() },
				"an iterator":  func(f func()) { l.Post(func() { iterator(f) }) },
			}
			const n = 300
			for from, send := range ways {
				for to, recv := range ways {
					for _, capacity := range []int{0, 3} {
						c := ringo.NewChan[*int](capacity)
						done := make(chan error, 1)
						send(func() {
							defer c.Close()
							for i := range n {
								if err := c.Send(&i); err != nil {
									t.Errorf("Send: %v", err)
									return
								}
							}
						})
						recv(func() {
							for i := 0; ; i++ {
								p, err := c.Recv()
								if err != nil {
									if i != n {
										err = fmt.Errorf("after %d values: %w", i, err)
									}
									done <- err
									return
								}
								if *p != i { // also what the pointer leads to has come over
									t.Errorf("from %s to %s: %d, want %d", from, to, *p, i)
								}
							}
						})
						if err := await(t, l, "the end", done); err != ringo.ErrClosed {
							t.Errorf("from %s to %s, capacity %d: %v", from, to, capacity, err)
						}
					}
				}
			}
		})
	})
}

// What need not wait works in a cancelled task, but not for ever: it learns of the
// cancel, and the others have their turns.
func TestChanFair(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		mustRun(t, cfg, func(l *ringo.Loop) {
			c := ringo.NewChan[int](1)
			var m ringo.Mutex
			s := ringo.NewSemaphore(1)
			for name, round := range map[string]func() error{
				"Send and Recv": func() error {
					if err := c.Send(1); err != nil {
						return err
					}
					_, err := c.Recv()
					return err
				},
				"TrySend and Recv": func() error {
					c.TrySend(1)
					_, err := c.Recv()
					return err
				},
				"Lock and Unlock": func() error {
					err := m.LockContext(nil)
					if err == nil {
						m.Unlock()
					}
					return err
				},
				"Acquire and Release": func() error {
					err := s.Acquire(nil, 1)
					if err == nil {
						s.Release(1)
					}
					return err
				},
				"Select": func() error {
					one := 1
					if _, err := ringo.Select(ringo.SendFrom(c, &one)); err != nil {
						return err
					}
					_, err := ringo.Select(ringo.RecvInto(c, &one))
					return err
				},
			} {
				var err error
				rounds := 0
				all := func() {
					for err == nil {
						err = round()
						rounds++
					}
				}
				for where, body := range map[string]func(){"a task": all, "an iterator": func() { iterator(all) }} {
					err, rounds = nil, 0
					task := l.Go(body)
					for range 3 {
						l.Sleep(0)
					}
					task.Cancel()
					task.Wait() // it would never end, nor would this task go on
					equal(t, name+" in "+where+", cancelled, at last", err, context.Canceled)
					if rounds < 2 {
						t.Errorf("%s in %s: %d rounds", name, where, rounds)
					}
					c.TryRecv()
				}
			}
		})
	})
}

// When Run ends all, it ends the waits for each other too, on every loop.
func TestRunEndsWaits(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		cfg.Loops = 2
		enough := errors.New("enough")
		var ended sync.Map
		err := run(t, cfg, func(l *ringo.Loop) error {
			for name, wait := range forever(l) {
				l.Go(func() { ended.Store(fmt.Sprint(name, l.Index()), wait()) })
			}
			l.Sleep(0)
			if l.Index() == 0 {
				return enough
			}
			return l.Sleep(time.Hour)
		})
		equal(t, "Run", err, enough)
		n := 0
		ended.Range(func(name, err any) bool {
			if e, _ := err.(error); !errors.Is(e, context.Canceled) {
				t.Errorf("%v: %v", name, err)
			}
			n++
			return true
		})
		equal(t, "waits", n, 2*len(forever(nil)))
	})
}

// A Chan outlives the Run of its tasks.
func TestChanOutlivesRun(t *testing.T) {
	c := ringo.NewChan[int](1)
	mustRun(t, anyDriver(t), func(l *ringo.Loop) { c.Send(1) })
	mustRun(t, anyDriver(t), func(l *ringo.Loop) {
		v, err := c.Recv()
		equal(t, "what the other Run has sent", v, 1)
		equal(t, "Recv", err, nil)
	})
	c.Send(2)
	v, _ := c.Recv()
	equal(t, "without a Run", v, 2)
	equal(t, "NewChan", panics(func() { ringo.NewChan[int](-1) }), any("ringo: NewChan(-1)"))
}

// What was received is no longer held by the channel. The collector may take some number for the address of one of the
// values, with 32 bits more easily.
func TestChanForgets(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		mustRun(t, cfg, func(l *ringo.Loop) {
			const room, n, kept = 10, 15, 2
			c := ringo.NewChan[*[64]int](room)
			gone := make(chan bool, n)
			send := func() {
				v := new([64]int) // no small thing that shares its memory with others
				addCleanup(v, gone)
				c.Send(v)
			}
			for range n {
				l.Go(send)
			}
			l.Sleep(0)
			for range n {
				c.Recv()
			}
			l.Sleep(0)
			for range n - kept {
				await(t, l, "a received value's end", collect(gone))
			}
		})
	})
}

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
			if len(results) != len(m.results) || c.Len() != len(m.buffer) || c.Cap() != m.capacity ||
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

// wantSelect checks what a Select gave.
func wantSelect(t testing.TB, what string, i int, err error, wantI int, wantErr error) {
	t.Helper()
	if i != wantI || err != wantErr {
		t.Errorf("%s: %d, %v; want %d, %v", what, i, err, wantI, wantErr)
	}
}

func TestSelect(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		mustRun(t, cfg, func(l *ringo.Loop) {
			a, b := ringo.NewChan[int](1), ringo.NewChan[string](0)
			x, y := 1, "unchanged"
			out := "out"
			cases := []ringo.Case{ringo.RecvInto(a, &x), ringo.RecvInto(b, &y), {}}
			i, err := ringo.TrySelect(cases...)
			wantSelect(t, "TrySelect of nothing", i, err, -1, nil)

			a.Send(7)
			i, err = ringo.Select(cases...)
			wantSelect(t, "with something there", i, err, 0, nil)
			equal(t, "received", x, 7)
			equal(t, "of the other case", y, "unchanged")

			l.Go(func() { b.Send("late") })
			i, err = ringo.Select(cases...)
			wantSelect(t, "that waited", i, err, 1, nil)
			equal(t, "received", y, "late")
			equal(t, "in line afterwards", a.Waiting()+b.Waiting(), 0)

			l.Go(func() { y, _ = b.Recv() })
			i, err = ringo.Select(ringo.RecvInto(a, &x), ringo.SendFrom(b, &out))
			wantSelect(t, "that sent", i, err, 1, nil)
			l.Sleep(0)
			equal(t, "sent", y, "out")

			l.Go(a.Close)
			i, err = ringo.Select(cases...)
			wantSelect(t, "closed while it waited", i, err, 0, ringo.ErrClosed)
			equal(t, "of a closed channel", x, 7)
			i, err = ringo.TrySelect(cases...)
			wantSelect(t, "closed before", i, err, 0, ringo.ErrClosed)
			i, err = ringo.TrySelect(ringo.SendFrom(a, &x))
			wantSelect(t, "a Send to a closed channel", i, err, 0, ringo.ErrClosed)

			task := l.Go(func() {
				i, err := ringo.Select(cases[1])
				wantSelect(t, "cancelled", i, err, -1, context.Canceled)
				i, err = ringo.Select(cases[1:]...)
				wantSelect(t, "in a cancelled task", i, err, -1, context.Canceled)
				i, err = ringo.Select(cases...)
				wantSelect(t, "of what need not wait, in a cancelled task", i, err, 0, ringo.ErrClosed)
			})
			l.Sleep(0)
			task.Cancel()
			task.Wait()
			equal(t, "in line after all", b.Waiting(), 0)

			var none *ringo.Chan[int]
			i, err = ringo.TrySelect(ringo.RecvInto(none, &x), ringo.SendFrom(none, &x))
			wantSelect(t, "of no channel", i, err, -1, nil)
			i, err = ringo.TrySelect()
			wantSelect(t, "of no case", i, err, -1, nil)
		})
	})
}

// A case without a variable is refused when it is made, and leaves its channel and what is in it to others.
func TestCaseWithoutVariable(t *testing.T) {
	for name, make := range map[string]func(c *ringo.Chan[int]) ringo.Case{
		"RecvInto": func(c *ringo.Chan[int]) ringo.Case { return ringo.RecvInto(c, nil) },
		"SendFrom": func(c *ringo.Chan[int]) ringo.Case { return ringo.SendFrom(c, nil) },
	} {
		c := ringo.NewChan[int](2)
		c.Send(1)
		want := "ringo: " + name + " with a nil pointer to the value"
		if got := panics(func() { ringo.TrySelect(make(c)) }); got != want {
			t.Fatalf("%s(c, nil) panics with %v, want %q", name, got, want) // and c may be locked
		}
		if n := c.Len(); n != 1 {
			t.Errorf("behind %s(c, nil) the channel has %d values, want 1", name, n)
		}
	}
	if i, err := ringo.TrySelect(ringo.RecvInto[int](nil, nil), ringo.SendFrom[int](nil, nil)); i != -1 || err != nil {
		t.Errorf("TrySelect of cases of no channel = %d, %v", i, err)
	}
}

// Of several cases that are true none is taken always.
func TestSelectIsFair(t *testing.T) {
	a, b := ringo.NewChan[int](1), ringo.NewChan[int](1)
	v, count := 0, [3]int{}
	for range 300 { // for one of the three to be left out every time takes odds of 1e-52
		a.TrySend(0)
		b.TrySend(0)
		i, err := ringo.Select(ringo.RecvInto(a, &v), ringo.RecvInto(b, &v), ringo.RecvInto(b, &v))
		if err != nil {
			t.Fatal(err)
		}
		count[i]++
	}
	if count[0] == 0 || count[1] == 0 || count[2] == 0 {
		t.Errorf("taken %v times", count)
	}
}

// Of the cases that are true each is as likely, also where others between them are not true, or turned off.
func TestSelectIsEven(t *testing.T) {
	var never ringo.Chan[int]
	v := 0
	for name, other := range map[string]ringo.Case{"off": {}, "not true": ringo.RecvInto(&never, &v)} {
		for _, n := range []int{8, 20} {
			a, b := ringo.NewChan[int](1), ringo.NewChan[int](1)
			cases := []ringo.Case{ringo.RecvInto(a, &v), ringo.RecvInto(b, &v)}
			for len(cases) < n {
				cases = append(cases, other)
			}
			const rounds, most = 4000, 2300 // beyond nine standard deviations
			count := [2]int{}
			for range rounds {
				a.TrySend(0)
				b.TrySend(0)
				i, err := ringo.Select(cases...)
				if err != nil {
					t.Fatal(err)
				}
				count[i]++
			}
			if max(count[0], count[1]) > most {
				t.Errorf("%d cases, the others %s: taken %v times", n, name, count)
			}
		}
	}
}

// A channel may be in several cases, and there may be many of them.
func TestSelectMany(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		mustRun(t, cfg, func(l *ringo.Loop) {
			var chans []*ringo.Chan[int]
			var cases []ringo.Case
			var in, out [20]int
			for i := range in {
				c := ringo.NewChan[int](0)
				out[i] = i
				chans = append(chans, c)
				cases = append([]ringo.Case{ringo.RecvInto(c, &in[i])}, cases...) // the locks' order is another one
				cases = append(cases, ringo.SendFrom(c, &out[i]))
			}
			i, err := ringo.TrySelect(cases...)
			wantSelect(t, "a Select does not meet itself", i, err, -1, nil)
			for i, c := range chans {
				l.Go(func() { c.Send(100 + i) })
				k, err := ringo.Select(cases...)
				wantSelect(t, "received", k, err, len(in)-1-i, nil)
				equal(t, "value", in[i], 100+i)

				var got int
				l.Go(func() { got, _ = c.Recv() })
				k, err = ringo.Select(cases...)
				wantSelect(t, "sent", k, err, len(in)+i, nil)
				l.Sleep(0)
				equal(t, "value", got, i)
			}
			for _, c := range chans {
				equal(t, "in line", c.Waiting(), 0)
			}
		})
	})
}

// Selects meet each other: each takes one from whom it finds and gives one to whom
// it finds, on two channels, in opposite orders. A value is received as often as it
// was sent, and nobody is left in line.
func TestSelectsMeet(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		cfg.Loops = 2
		beside(t, cfg, func(l *ringo.Loop) {
			a, b := ringo.NewChan[int](0), ringo.NewChan[int](0)
			quit := ringo.NewChan[int](0)
			var m ringo.Mutex
			var done sync.WaitGroup
			sum, met := 0, 0
			callers(l, 6, &done, func(who int) {
				in, out, mine := 0, who+1, 0
				cases := []ringo.Case{ringo.RecvInto(a, &in), ringo.SendFrom(b, &out), ringo.RecvInto(quit, &in)}
				if who%2 == 1 {
					cases = []ringo.Case{ringo.RecvInto(b, &in), ringo.SendFrom(a, &out), ringo.RecvInto(quit, &in)}
				}
				n := 0
				for ; ; n++ {
					i, err := ringo.Select(cases...)
					switch {
					case i == 2 && err == ringo.ErrClosed:
						m.Lock()
						sum += mine
						met += n
						m.Unlock()
						return
					case err != nil:
						t.Errorf("Select: %d, %v", i, err)
						return
					case i == 0:
						mine += in
					case i == 1:
						mine -= out
					}
					if n == 200 {
						quit.Close()
					}
				}
			})
			join(l, &done)
			equal(t, "received less sent", sum, 0)
			equal(t, "in line", a.Waiting()+b.Waiting()+quit.Waiting(), 0)
			if met < 200 {
				t.Errorf("%d meetings", met)
			}
		})
	})
}
