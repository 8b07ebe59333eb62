package bench

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	"ringo"
	"ringo/internal/measure"
	"ringo/sock"
)

// question asks the child that loads servers to measure one window.
type question struct {
	Kind  string // echo, http, udp
	Addr  string
	PID   int // of the server
	Conns int
	For   time.Duration
}

const (
	messageBytes = 64
	warmups      = 5 // exchanges on each connection before the window
)

// A crew calls work from n callers at once, with the index of each, and returns when all have returned. l is nil for
// callers that are not tasks.
type crew func(n int, work func(l *ringo.Loop, i int) error) error

// onLoops returns a crew of tasks, spread over the loops. A goroutine calls it, not a task.
func onLoops(loops []*ringo.Loop) crew {
	return func(n int, work func(*ringo.Loop, int) error) error {
		errs := make(chan error, len(loops))
		for k, l := range loops {
			l.Go(func() {
				g := ringo.NewGroup(l)
				for i := k; i < n; i += len(loops) {
					g.Go(func() error { return work(l, i) })
				}
				errs <- g.Wait() //ringo:offloaded there is room for all of them
			})
		}
		var all error
		for range loops {
			all = errors.Join(all, <-errs)
		}
		return all
	}
}

// withLoops runs loops, and calls fn on an ordinary goroutine meanwhile.
func (s *childConfig) withLoops(fn func(loops []*ringo.Loop) error) error {
	done := ringo.NewChan[struct{}](0)
	return ringo.Run(context.Background(), s.config(), func(l *ringo.Loop) error {
		if l.Index() > 0 {
			done.Recv()
			return nil
		}
		defer done.Close()
		return l.Offload(func(context.Context) error { return fn(l.Loops()) })
	})
}

// load is the child that loads servers.
func (s *childConfig) load(up *pipe) error {
	return s.withLoops(func(loops []*ringo.Loop) error {
		up.ready(childAddress{Driver: loops[0].Info().Name})
		return answers(up, func(q question) (Sample, error) { return q.window(loops) })
	})
}

// window measures one window: it connects, exchanges messages until the time is over, waits for all answers, and
// closes. The server is idle at both ends of the measurement: only while it sleeps is the kernel's account of its CPU
// time exact.
func (q *question) window(loops []*ringo.Loop) (out Sample, err error) {
	all := onLoops(loops)
	peers := make([]*peer, q.Conns)
	defer func() {
		err = errors.Join(err, all(q.Conns, func(_ *ringo.Loop, i int) error {
			if peers[i] == nil {
				return nil
			}
			return peers[i].conn.Close()
		}))
	}()
	times := make([]measure.Histogram, len(loops))
	limit := time.Now().Add(q.For + patience/2)
	if err := all(q.Conns, func(l *ringo.Loop, i int) (err error) {
		if peers[i], err = q.dial(l, i); err != nil {
			return err
		}
		peers[i].conn.SetDeadline(limit)
		return peers[i].exchange(warmups)
	}); err != nil {
		return out, err
	}
	before, err := cpuAsleep(q.PID)
	if err != nil {
		return out, err
	}
	begin := time.Now()
	if err := all(q.Conns, func(l *ringo.Loop, i int) error {
		return peers[i].until(begin, q.For, &times[l.Index()])
	}); err != nil {
		return out, err
	}
	out.Seconds = time.Since(begin).Seconds()
	after, err := cpuAsleep(q.PID)
	out.count(times, after-before)
	return out, err
}

// count fills in a sample from the callers' times and the server's CPU time. It merges all times into the first.
func (s *Sample) count(times []measure.Histogram, cpu time.Duration) {
	for i := range times[1:] {
		times[0].Merge(&times[1+i])
	}
	s.Done, s.CPU = int64(times[0].Count()), micros(cpu)
	s.P50, s.P99 = micros(times[0].Quantile(0.5)), micros(times[0].Quantile(0.99))
}

func micros(d time.Duration) float64 { return float64(d) / 1e3 }

// cpuAsleep returns the CPU time of a process that has nothing left to do, after a moment in which it falls asleep.
func cpuAsleep(pid int) (time.Duration, error) {
	time.Sleep(2 * time.Millisecond)
	return measure.CPU(pid)
}

// peer is a client's connection, or a UDP socket that is connected to one server.
type peer struct {
	conn     net.Conn
	datagram bool
	message  []byte
	want     []byte // the expected reply; nil: the message itself
	reply    []byte
	number   uint64
}

func (q *question) dial(l *ringo.Loop, i int) (*peer, error) {
	p := &peer{}
	var err error
	if q.Kind == cellUDP {
		p.datagram = true
		p.conn, err = sock.DialPacket(l, "udp", q.Addr)
	} else {
		p.conn, err = sock.Dial(l, "tcp", q.Addr)
	}
	if err != nil {
		return nil, err
	}
	if q.Kind == cellHTTP {
		p.message, p.want = httpRequest, httpReply
		p.reply = make([]byte, len(httpReply))
		return p, nil
	}
	p.message, p.reply = make([]byte, messageBytes), make([]byte, messageBytes)
	for k := range p.message {
		p.message[k] = byte(k*7 + i)
	}
	return p, nil
}

// next numbers the message, so that a late reply to an older one is not taken for this one's.
func (p *peer) next() {
	if p.want == nil {
		p.number++
		binary.LittleEndian.PutUint64(p.message, p.number)
	}
}

// exchange sends the message and checks the reply, so many times.
func (p *peer) exchange(times int) error {
	for range times {
		p.next()
		if _, err := p.conn.Write(p.message); err != nil {
			return err
		}
		n, err := 0, error(nil)
		if p.datagram {
			n, err = p.conn.Read(p.reply)
		} else {
			n, err = io.ReadFull(p.conn, p.reply)
		}
		if err != nil {
			return err
		}
		want := p.want
		if want == nil {
			want = p.message
		} else if n > dateAt+len(http.TimeFormat) {
			copy(p.reply[dateAt:], http.TimeFormat)
		}
		if !bytes.Equal(p.reply[:n], want) {
			return fmt.Errorf("a wrong answer: %q, want %q", p.reply[:n], want)
		}
	}
	return nil
}

// until exchanges messages until the window is over, at least one.
func (p *peer) until(begin time.Time, window time.Duration, times *measure.Histogram) error {
	for before := time.Since(begin); ; {
		if err := p.exchange(1); err != nil {
			return err
		}
		now := time.Since(begin)
		times.Record(now - before)
		if before = now; now >= window {
			return nil
		}
	}
}
