//go:build linux

package main

import (
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"ringo/bench/internal/sample"
	"ringo/internal/measure"
)

const (
	pollMax      = 100 * time.Millisecond
	connectBatch = 256 // connections opened before the server gets time to accept them
)

// poll waits for events, for timeout at most, and handles them.
func (e *engine) poll(timeout time.Duration) error {
	ms := int((timeout + time.Millisecond - 1) / time.Millisecond)
	if len(e.queue) > 0 {
		ms = 0
	}
	n, err := unix.EpollWait(e.epoll, e.events[:], ms)
	if err != nil && err != unix.EINTR {
		return os.NewSyscallError("epoll_wait", err)
	}
	for k := range max(n, 0) {
		e.step(int(e.events[k].Fd), e.events[k].Events)
	}
	e.resume()
	return nil
}

// until runs the load until t. It fails if no connection is left.
func (e *engine) until(t time.Duration) error {
	for now := e.now(); now < t; now = e.now() {
		wait := min(t-now, pollMax)
		if e.pace != nil {
			e.release(now)
			wait = 0
		}
		if e.strain != nil {
			if err := e.strain.act(now); err != nil {
				return err
			}
			wait = min(wait, strainEvery)
		}
		if e.live == 0 {
			return fmt.Errorf("no connection is left, after %d errors and %d mismatches", e.errors, e.mismatches)
		}
		if err := e.poll(wait); err != nil {
			return err
		}
	}
	return nil
}

// openAll opens conns[from:to], each allowed to send limit bytes, in batches that fit into any listen queue.
func (e *engine) openAll(from, to int, limit uint64) error {
	giveUp := e.now() + e.patience
	for ; from < to; from += connectBatch {
		batch := e.conns[from:min(from+connectBatch, to)]
		for k := range batch {
			if err := e.open(from+k, limit); err != nil {
				return err
			}
		}
		for connecting(batch) {
			if e.now() > giveUp {
				return fmt.Errorf("%d connections did not get through in %v", to, e.patience)
			}
			if err := e.poll(pollMax); err != nil {
				return err
			}
		}
	}
	return nil
}

func connecting(batch []conn) bool {
	for k := range batch {
		if batch[k].fd >= 0 && batch[k].sent == 0 {
			return true
		}
	}
	return false
}

// drain allows no further messages, and waits for the replies that are owed, for as long as any bytes come.
func (e *engine) drain() error {
	e.again, e.draining, e.onReply = false, true, nil
	for i := range e.conns {
		if c := &e.conns[i]; c.fd >= 0 && c.received < e.exchange.due(c.limit) {
			e.owing++
		}
	}
	last, giveUp := e.bytes, e.now()+e.patience
	for e.owing > 0 {
		if e.bytes != last {
			last, giveUp = e.bytes, e.now()+e.patience
		}
		if e.now() > giveUp {
			fmt.Fprintf(os.Stderr, "load: %d connections wait for replies, and nothing came for %v\n", e.owing,
				e.patience)
			e.errors += e.owing
			return nil
		}
		if err := e.poll(pollMax); err != nil {
			return err
		}
	}
	return nil
}

// window is a measured span of a run.
type window struct {
	e      *engine
	pid    int
	beside int
	from   time.Duration
	done   uint64
	used   usage
	disk   bool
	read   int64 // bytes that the server had read from disks at the begin
}

// usage is CPU time: of the server, of the load with what it counts for, and of all CPUs.
type usage struct{ server, load, machine time.Duration }

func readUsage(server, beside int) (u usage, err error) {
	if server > 0 {
		if u.server, err = measure.CPU(server); err != nil {
			return u, err
		}
	}
	if u.load, err = measure.CPU(os.Getpid()); err != nil {
		return u, err
	}
	if beside > 0 {
		more, err := measure.CPU(beside)
		if err != nil {
			return u, err
		}
		u.load += more
	}
	u.machine, err = measure.Busy()
	return u, err
}

func (e *engine) openWindow(c *config) (*window, error) {
	w := &window{e: e, pid: c.pid, beside: c.beside, done: e.done}
	for i := range e.conns {
		e.conns[i].counted = 0
	}
	e.latency.Reset()
	if e.pace != nil {
		e.pace.late.Reset()
	}
	var err error
	w.used, err = readUsage(c.pid, c.beside)
	if w.disk = c.mode == "paced" && c.pid > 0; w.disk && err == nil {
		w.read, err = measure.DiskRead(c.pid)
	}
	w.from = e.now()
	return w, err
}

// close writes the window's figures into s.
func (w *window) close(s *sample.Sample) error {
	used, err := readUsage(w.pid, w.beside)
	if err != nil {
		return err
	}
	e := w.e
	span := (e.now() - w.from).Seconds()
	server, load := used.server-w.used.server, used.load-w.used.load
	s.Seconds = span
	s.Requests = e.done - w.done
	s.PerSecond = float64(s.Requests) / span
	s.ServerBusy = server.Seconds() / span
	s.LoadBusy = load.Seconds() / span
	if w.pid > 0 {
		s.OtherBusy = max(0, (used.machine-w.used.machine-server-load).Seconds()/span)
	}
	if w.disk {
		read, err := measure.DiskRead(w.pid)
		if err != nil {
			return err
		}
		s.DiskRead = float64(read-w.read) / span
	}
	if s.Requests > 0 {
		s.CPUMicros = micros(server) / float64(s.Requests)
	}
	s.P50 = micros(e.latency.Quantile(0.5))
	s.P99 = micros(e.latency.Quantile(0.99))
	s.P999 = micros(e.latency.Quantile(0.999))
	s.Max = micros(e.latency.Max())
	for i := range e.conns {
		if c := &e.conns[i]; !c.peer && c.counted == 0 {
			s.Starved++
		}
	}
	return nil
}

func micros(d time.Duration) float64 { return float64(d) / float64(time.Microsecond) }
