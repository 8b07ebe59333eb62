//go:build linux

package main

import (
	"bufio"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// answerMax is how long an answer may take.
const answerMax = 30 * time.Second

type asked struct{ asked, lost atomic.Int64 }

// clients ask until their end.
type clients struct {
	addr    string
	running sync.WaitGroup
	over    chan struct{}
	counts  struct {
		once, kept asked
		closed     atomic.Int64 // kept connections that were closed while nothing was asked
	}
	mu      sync.Mutex
	reasons map[string]int
}

func begin(addr string, rate, kept int) *clients {
	c := &clients{addr: addr, over: make(chan struct{}), reasons: map[string]int{}}
	c.running.Go(func() {
		tick := time.NewTicker(time.Second / time.Duration(rate))
		defer tick.Stop()
		for {
			select {
			case <-c.over:
				return
			case <-tick.C:
				c.running.Go(c.once)
			}
		}
	})
	for range kept {
		c.running.Go(c.stay)
	}
	return c
}

// end ends all clients. It is an error if nothing was asked.
func (c *clients) end() error {
	close(c.over)
	c.running.Wait()
	if c.counts.once.asked.Load() == 0 || c.counts.kept.asked.Load() == 0 {
		return errors.New("no client has asked anything")
	}
	return nil
}

// why returns how often requests were lost, by reason.
func (c *clients) why() map[string]int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.reasons
}

func (c *clients) count(of *asked, err error) {
	of.asked.Add(1)
	if err == nil {
		return
	}
	of.lost.Add(1)
	var call *os.SyscallError
	if errors.As(err, &call) {
		err = call.Err
	}
	if errors.Is(err, syscall.EPIPE) || errors.Is(err, syscall.ECONNRESET) {
		err = errors.New("connection reset")
	}
	c.mu.Lock()
	c.reasons[err.Error()]++
	c.mu.Unlock()
}

// once asks by a connection of its own.
func (c *clients) once() {
	k, err := net.DialTimeout("tcp", c.addr, answerMax)
	if err == nil {
		defer k.Close()
		_, _, err = ask(k, bufio.NewReader(k), "Connection: close\r\n")
	}
	c.count(&c.counts.once, err)
}

// stay asks by one connection after the other, each as long as the server keeps it.
func (c *clients) stay() {
	for {
		k, err := net.DialTimeout("tcp", c.addr, answerMax)
		if err != nil {
			c.count(&c.counts.kept, err)
		} else {
			c.asks(k)
			k.Close()
		}
		select {
		case <-c.over:
			return
		case <-time.After(pause()):
		}
	}
}

// asks asks by a connection until it has ended, or all clients do.
func (c *clients) asks(k net.Conn) {
	for r := bufio.NewReader(k); ; {
		_, last, err := ask(k, r, "")
		c.count(&c.counts.kept, err)
		if err != nil || last {
			return
		}
		k.SetReadDeadline(time.Now().Add(pause()))
		if _, err := r.Peek(1); !errors.Is(err, os.ErrDeadlineExceeded) {
			c.counts.closed.Add(1)
			return
		}
		select {
		case <-c.over:
			return
		default:
		}
	}
}

// pause returns how long a client that stays waits between two requests: a second in the middle.
func pause() time.Duration { return time.Second/2 + rand.N(time.Second) }

// ask makes a request, and returns the answer's body and whether the connection ends behind it.
func ask(k net.Conn, r *bufio.Reader, fields string) (body string, last bool, err error) {
	k.SetDeadline(time.Now().Add(answerMax))
	if _, err := io.WriteString(k, "GET / HTTP/1.1\r\nHost: localhost\r\n"+fields+"\r\n"); err != nil {
		return "", false, err
	}
	a, err := http.ReadResponse(r, nil)
	if err != nil {
		return "", false, err
	}
	p, err := io.ReadAll(a.Body)
	if err == nil && a.StatusCode != http.StatusOK {
		err = errors.New(a.Status)
	}
	return string(p), a.Close, err
}
