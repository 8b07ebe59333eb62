//go:build linux

package main

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"time"

	"golang.org/x/sys/unix"

	"ringo/bench/internal/sample"
	"ringo/internal/measure"
)

const (
	// of a peer that does not read: the server's buffers should fill up, not the kernel's
	peerBuffers = 32 << 10
	stuckQuiet  = 300 * time.Millisecond
	stuckMax    = 60 * time.Second
)

// run runs the mode. An error means that there is no result; broken connections and wrong bytes are counted in the
// result.
func run(c *config) (*sample.Sample, error) {
	runtime.LockOSThread()
	e, err := newEngine(c)
	if err != nil {
		return nil, err
	}
	defer e.shutdown()
	s, err := runMode(e, c)
	if err != nil {
		return nil, err
	}
	s.AllTime = e.done
	s.Errors, s.Mismatches = e.errors, e.mismatches
	if s.Requests == 0 && !c.idle() && s.Errors == 0 && s.Mismatches == 0 {
		return nil, errors.New("no request was completed in the measured window")
	}
	return s, nil
}

func runMode(e *engine, c *config) (*sample.Sample, error) {
	s := &sample.Sample{Mode: c.mode, Conns: c.conns, Size: c.size, Depth: c.depth}
	mode := map[string]func(*config, *sample.Sample) error{
		"echo": e.echo, "http": e.echo, "json": e.echo,
		"get": e.echo, "set": e.echo, "udp": e.echo, "tls": e.tls, "handshake": e.tls,
		"flood": e.flood, "sink": e.sink, "crowd": e.crowd, "churn": e.churn, "idle": e.idle, "httpidle": e.idle,
		"slow": e.slow, "httpslow": e.httpslow, "paced": e.paced,
	}[c.mode]
	return s, mode(c, s)
}

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }

func (e *engine) echo(c *config, s *sample.Sample) error {
	e.again = true
	if err := e.openAll(0, c.conns, e.size*uint64(c.depth)); err != nil {
		return err
	}
	if err := e.measure(c, s); err != nil {
		return err
	}
	return e.drain()
}

// crowd exchanges one message on each connection, then continues on a few of them, spread over all.
func (e *engine) crowd(c *config, s *sample.Sample) error {
	if err := e.openAll(0, c.conns, e.size); err != nil {
		return err
	}
	if err := e.drain(); err != nil {
		return err
	}
	e.draining, e.again = false, true
	active := min(c.active, c.conns)
	for k := range active {
		i := k * c.conns / active
		e.conns[i].stamps[0] = e.now()
		e.conns[i].limit += e.size
		e.step(i, unix.EPOLLOUT)
	}
	if err := e.measure(c, s); err != nil {
		return err
	}
	s.Starved = 0 // the silent connections are not starved
	return e.drain()
}

// measure runs the warm-up and the window.
func (e *engine) measure(c *config, s *sample.Sample) error {
	if err := e.until(e.now() + seconds(c.warmup)); err != nil {
		return err
	}
	w, err := e.openWindow(c)
	if err != nil {
		return err
	}
	if err := e.until(w.from + seconds(c.seconds)); err != nil {
		return err
	}
	return w.close(s)
}

// churn replaces each connection by a new one after its first reply.
func (e *engine) churn(c *config, s *sample.Sample) error {
	var failed error
	e.onReply = func(i int) {
		e.close(&e.conns[i])
		if err := e.open(i, e.size); err != nil {
			failed = err
		}
	}
	err := e.openAll(0, c.conns, e.size)
	if err == nil {
		err = e.measure(c, s)
	}
	if err == nil {
		err = e.drain()
	}
	return errors.Join(err, failed)
}

// idle exchanges one message on each connection and then leaves them alone.
func (e *engine) idle(c *config, s *sample.Sample) (err error) {
	if s.RSSBefore, err = measure.RSS(c.pid); err != nil {
		return err
	}
	if err := e.openAll(0, c.conns, e.size); err != nil {
		return err
	}
	if err := e.drain(); err != nil {
		return err
	}
	if err := e.measure(c, s); err != nil {
		return err
	}
	s.Starved = 0
	if e.live != c.conns {
		return fmt.Errorf("%d of %d connections are left", e.live, c.conns)
	}
	return e.memory(c, s)
}

func (e *engine) memory(c *config, s *sample.Sample) (err error) {
	s.RSSAfter, err = measure.RSS(c.pid)
	s.RSSPerConn = float64(s.RSSAfter-s.RSSBefore) / float64(len(e.conns))
	return err
}

// slow measures connections that behave well, beside peers that send until nothing accepts more. At the end the peers
// read.
func (e *engine) slow(c *config, s *sample.Sample) (err error) {
	if c.pid > 0 {
		if s.RSSBefore, err = measure.RSS(c.pid); err != nil {
			return err
		}
	}
	peers := e.conns[c.conns:]
	for k := range peers {
		peers[k].peer, peers[k].mute = true, true
	}
	e.dialer.buffers = peerBuffers
	if err := e.openAll(c.conns, len(e.conns), c.peerBytes); err != nil {
		return err
	}
	if err := e.untilStuck(peers); err != nil {
		return err
	}
	e.dialer.buffers = 0
	e.again = true
	if err := e.openAll(0, c.conns, e.size*uint64(c.depth)); err != nil {
		return err
	}
	if err := e.measure(c, s); err != nil {
		return err
	}
	if c.pid > 0 {
		if err := e.memory(c, s); err != nil {
			return err
		}
	}
	return e.letRead(c.conns)
}

// untilStuck runs until no peer has sent a byte for a while, so that all buffers on their way are full.
func (e *engine) untilStuck(peers []conn) error {
	giveUp := e.now() + stuckMax
	for last := uint64(0); ; {
		if err := e.until(e.now() + stuckQuiet); err != nil {
			return err
		}
		var sent, unstuck uint64
		for k := range peers {
			sent += peers[k].sent
			if peers[k].sent == peers[k].limit {
				unstuck++
			}
		}
		if sent == last {
			fmt.Fprintf(os.Stderr, "load: %d peers sent %d KiB, %d of them all they may\n",
				len(peers), sent>>10, unstuck)
			return nil
		}
		if e.now() > giveUp {
			return fmt.Errorf("after %v the server still takes bytes from peers that don't read", stuckMax)
		}
		last = sent
	}
}

// letRead lets the peers, conns[first:], read the replies they are owed, and verifies them.
func (e *engine) letRead(first int) error {
	for i := first; i < len(e.conns); i++ {
		c := &e.conns[i]
		c.mute = false
		c.limit = c.sent
	}
	for i := first; i < len(e.conns); i++ {
		e.step(i, unix.EPOLLIN) // the event came while they did not read
	}
	return e.drain()
}
