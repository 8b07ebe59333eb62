//go:build linux

package main

import (
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"ringo/internal/test/patience"
	"ringo/internal/test/socktest"
	"ringo/internal/test/testmain"
)

// restsSmall wants a process to come to rest, which a peer holds up, without what it holds in memory.
func restsSmall(t *testing.T, p *process) {
	t.Helper()
	before := p.memory()
	if err := p.rests(); err != nil {
		t.Fatal(err)
	}
	if now := p.memory(); now > before+(16<<20) {
		t.Errorf("%d bytes of memory, %d before", now, before)
	}
}

// startProxy starts ringo proxy in front of a backend of package net, for which serve
// handles each connection. It returns the address to dial.
func startProxy(t *testing.T, serve func(c *net.TCPConn), args ...string) (p *process, addr string) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	backend(t, ln, func(c net.Conn) { serve(c.(*net.TCPConn)) })
	return startProxyTo(t, "tcp://"+ln.Addr().String(), args...)
}

func startProxyTo(t *testing.T, to string, args ...string) (p *process, addr string) {
	t.Helper()
	args = append([]string{"proxy", "-listen", anyPort, "-to", to}, args...)
	p = start(t, tool(t, args...))
	return p, p.addr()
}

// backend accepts until the test ends.
func backend(t *testing.T, ln net.Listener, serve func(c net.Conn)) {
	var conns sync.WaitGroup
	conns.Go(func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			c.SetDeadline(patience.Deadline())
			conns.Go(func() {
				defer c.Close()
				serve(c)
			})
		}
	})
	t.Cleanup(func() { ln.Close(); conns.Wait() })
}

// echoes sends back what comes.
func echoes(c *net.TCPConn) {
	io.Copy(c, struct{ io.Reader }{c})
	c.CloseWrite()
}

// TestProxy: bytes go both ways, whatever their number, and so does the end.
func TestProxy(t *testing.T) {
	eachDriver(t, func(t *testing.T, driver string) {
		p, addr := startProxy(t, echoes, "-driver", driver)
		var clients sync.WaitGroup
		for _, size := range []int{0, 1, 64, 16384, 1_000_000, 20_000_000} {
			for range 3 {
				clients.Go(func() {
					if err := exchange(addr, size); err != nil {
						t.Errorf("%d bytes: %v", size, err)
					}
				})
			}
		}
		clients.Wait()
		p.finish()
	})
}

// TestProxyAhead: from the first client on there are connections for the next ones, whose servers may have spoken, and
// those that their servers have ended are made anew.
func TestProxyAhead(t *testing.T) {
	eachDriver(t, func(t *testing.T, driver string) {
		var mu sync.Mutex
		var served []*net.TCPConn
		open := func() int {
			mu.Lock()
			defer mu.Unlock()
			return len(served)
		}
		_, addr := startProxy(t, func(c *net.TCPConn) {
			c.Write([]byte("hello "))
			mu.Lock()
			served = append(served, c)
			mu.Unlock()
			echoes(c)
		}, "-driver", driver, "-loops", "1", "-ahead", "3")
		asks := func() error {
			c, err := net.Dial("tcp", addr)
			if err != nil {
				return err
			}
			defer c.Close()
			c.SetDeadline(patience.Deadline())
			c.Write([]byte("there"))
			c.(*net.TCPConn).CloseWrite()
			all, err := io.ReadAll(c)
			if string(all) != "hello there" && err == nil {
				err = fmt.Errorf("got %q", all)
			}
			return err
		}
		client := func() {
			t.Helper()
			if err := asks(); err != nil {
				t.Error(err)
			}
		}
		client()
		socktest.Eventually(t, "connections ahead", func() bool { return open() == 4 })
		for i := range 5 { // each takes one, and has one made
			client()
			socktest.Eventually(t, "another", func() bool { return open() == 5+i })
		}
		mu.Lock()
		for _, c := range served {
			c.SetLinger(0)
			c.Close()
		}
		mu.Unlock()
		socktest.Eventually(t, "the proxy to have heard of that", func() bool { return asks() == nil })
		client()
		client()
	})
}

// TestProxyHalfClose: what one side ends, the other may answer later, and the other way
// round.
func TestProxyHalfClose(t *testing.T) {
	eachDriver(t, func(t *testing.T, driver string) {
		got := make(chan string, 1)
		p, addr := startProxy(t, func(c *net.TCPConn) {
			c.Write([]byte("all that I say"))
			c.CloseWrite()
			text, err := io.ReadAll(c)
			got <- fmt.Sprint(string(text), err)
		}, "-driver", driver)
		c := dial(t, addr)
		if text, err := io.ReadAll(c); string(text) != "all that I say" || err != nil {
			t.Errorf("%q came, %v", text, err)
		}
		c.Write([]byte("late"))
		c.CloseWrite()
		if text := <-got; text != "late<nil>" {
			t.Errorf("the other side got %q", text)
		}
		p.finish()
	})
}

// TestProxyReset: the reset of one side is the other's.
func TestProxyReset(t *testing.T) {
	eachDriver(t, func(t *testing.T, driver string) {
		failed := make(chan error, 1)
		p, addr := startProxy(t, func(c *net.TCPConn) {
			c.Write([]byte("x"))
			_, err := io.Copy(io.Discard, c)
			failed <- err
		}, "-driver", driver)
		c := dial(t, addr)
		io.ReadFull(c, make([]byte, 1))
		c.SetLinger(0)
		c.Close()
		if err := <-failed; !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("the other side was told %v, want a reset", err)
		}
		p.finish()
	})
}

// TestProxyResetUnderWrites: a reset is passed on also if the proxy meets it in a write, so
// that nobody takes half of what was sent for all of it.
func TestProxyResetUnderWrites(t *testing.T) {
	eachDriver(t, func(t *testing.T, driver string) {
		ends := make(chan error)
		p, addr := startProxy(t, func(c *net.TCPConn) {
			wrote := make(chan error)
			go func() {
				block := make([]byte, 1<<14)
				var err error
				for err == nil {
					_, err = c.Write(block)
				}
				wrote <- err
			}()
			_, err := io.Copy(io.Discard, c)
			ends <- errors.Join(err, <-wrote) // one of them is told
		}, "-driver", driver)
		for i := range 20 {
			c := dial(t, addr)
			c.Write([]byte("part of a request"))
			io.ReadFull(c, make([]byte, 1<<16+i<<14))
			c.SetLinger(0)
			c.Close()
			if err := <-ends; !errors.Is(err, syscall.ECONNRESET) {
				t.Errorf("connection %d: the other side was told %v, want a reset", i, err)
			}
		}
		p.finish()
	})
}

// TestProxyNobody: if nobody is there, the client is reset, and a line says why.
func TestProxyNobody(t *testing.T) {
	eachDriver(t, func(t *testing.T, driver string) {
		to := socktest.Refusing(t)
		p, addr := startProxyTo(t, "tcp://"+to, "-driver", driver, "-stats", "50ms")
		c, err := net.Dial("tcp", addr)
		if err == nil { // else it was as quick as that
			c.SetDeadline(patience.Deadline())
			_, err = c.Read(make([]byte, 1))
			c.Close()
		}
		if !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("%v, want a reset", err)
		}
		line := p.line("connection of 127.0.0.1:")
		if !strings.Contains(line, "connection refused") || !strings.Contains(line, to) {
			t.Errorf("the line is %q", line)
		}
		if line, ok := p.find(func(line string) bool {
			return strings.Contains(line, "failed=1")
		}); !ok || !strings.Contains(line, "dialing=0") {
			t.Errorf("stats are %q", line)
		}
		p.finish()
	})
}

// TestProxyMax: those beyond the limit wait, and have their turn.
func TestProxyMax(t *testing.T) {
	eachDriver(t, func(t *testing.T, driver string) {
		p, addr := startProxy(t, echoes, "-driver", driver, "-max", "2", "-loops", "2", "-stats", "50ms")
		one, two := dial(t, addr), dial(t, addr)
		pingPong(t, one)
		pingPong(t, two)
		three := dial(t, addr) // the loops would not keep to the order of all three
		p.line("stats conns=2")
		if line, ok := p.find(func(line string) bool { return strings.Contains(line, "waiting=1") }); !ok {
			t.Errorf("stats are %q", line)
		}
		one.Close()
		pingPong(t, three)
		var clients sync.WaitGroup
		two.Close()
		three.Close()
		var served atomic.Int32 // from a client's first answer to just before its Close
		for range 20 {
			clients.Go(func() {
				c, err := net.Dial("tcp", addr)
				if err != nil {
					t.Error(err)
					return
				}
				defer c.Close()
				c.SetDeadline(patience.Deadline())
				for ping := range 20 {
					b := []byte("ping")
					if _, err := c.Write(b); err != nil {
						t.Error(err)
						break
					}
					if _, err := io.ReadFull(c, b); err != nil {
						t.Error(err)
						break
					}
					if ping > 0 {
						continue
					}
					if now := served.Add(1); now > 2 {
						t.Errorf("%d connections at once", now)
					}
					defer served.Add(-1) // before Close, which was deferred first
				}
			})
		}
		clients.Wait()
		p.finish()
	})
}

// TestProxyDrain: a connection that is busy when the signal comes goes on to its end.
func TestProxyDrain(t *testing.T) {
	eachDriver(t, func(t *testing.T, driver string) {
		p, addr := startProxy(t, echoes, "-driver", driver, "-grace", "1h")
		c := dial(t, addr)
		sent, failed := noise(16<<20), make(chan error, 1)
		go func() {
			_, err := c.Write(sent)
			failed <- errors.Join(err, c.CloseWrite())
		}()
		got := make([]byte, 1000)
		if _, err := io.ReadFull(c, got); err != nil {
			t.Fatal(err)
		}
		p.signal(syscall.SIGTERM)
		p.line("terminated")
		wantRefused(t, addr)
		rest, err := io.ReadAll(c)
		if err = errors.Join(err, <-failed); err != nil {
			t.Error(err)
		}
		if got = append(got, rest...); !bytes.Equal(got, sent) {
			t.Errorf("%d bytes came back, of %d", len(got), len(sent))
		}
		if code, stderr := p.wait(); code != 0 {
			t.Errorf("exit code %d, want 0; stderr:\n%s", code, stderr)
		}
	})
}

// TestProxyGraceCuts: what the end of -grace cuts short is reset, so that nobody takes it for whole.
func TestProxyGraceCuts(t *testing.T) {
	s := newStreams(t)
	eachDriver(t, func(t *testing.T, driver string) {
		for name, args := range map[string][]string{"plain": nil, "TLS": s.from()} {
			t.Run(name, func(t *testing.T) {
				p, addr := startProxy(t, func(c *net.TCPConn) {
					for {
						if _, err := c.Write(make([]byte, 1000)); err != nil {
							return
						}
					}
				}, append([]string{"-driver", driver, "-grace", "50ms"}, args...)...)
				var c net.Conn = dial(t, addr)
				if args != nil {
					c = tls.Client(c, &tls.Config{RootCAs: s.pool, ServerName: "ringo.test"})
				}
				if _, err := io.ReadFull(c, make([]byte, 1000)); err != nil {
					t.Fatal(err)
				}
				p.signal(syscall.SIGTERM)
				if _, err := io.Copy(io.Discard, c); !errors.Is(err, syscall.ECONNRESET) {
					t.Errorf("the client is told %v, want a reset", err)
				}
				p.wait()
			})
		}
	})
}

// TestProxySlowReader: one who does not read costs a bounded amount of memory, and then
// gets everything.
func TestProxySlowReader(t *testing.T) {
	eachDriver(t, func(t *testing.T, driver string) {
		const size = 64 << 20
		sent := make(chan int64, 1)
		p, addr := startProxy(t, func(c *net.TCPConn) {
			n, _ := io.Copy(c, io.LimitReader(zeros{}, size))
			c.CloseWrite()
			sent <- n
		}, "-driver", driver)
		c := dial(t, addr)
		if _, err := io.ReadFull(c, make([]byte, 10)); err != nil {
			t.Fatal(err)
		}
		restsSmall(t, p)
		n, err := io.Copy(io.Discard, c)
		if n != size-10 || err != nil || <-sent != size {
			t.Errorf("%d bytes came of %d: %v", n, size-10, err)
		}
		c.Close()
		p.finish()
	})
}

// zeros is an endless reader.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

// rests waits until the process has not worked for a while. Any goroutine may call it.
func (p *process) rests() error {
	last, same := -1, 0
	return patience.Poll(nil, func() bool {
		now := p.cpu()
		if same++; now != last {
			last, same = now, 0
		}
		return same == 20
	})
}

// memory is how much of the process is in memory, in bytes.
func (p *process) memory() int { return p.stat("statm", 1) * os.Getpagesize() }

// cpu is the time that the process has used, in ticks.
func (p *process) cpu() int { return p.stat("stat", 13) + p.stat("stat", 14) }

func (p *process) stat(file string, field int) int {
	p.t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/%s", p.cmd.Process.Pid, file))
	if err != nil {
		p.t.Fatal(err)
	}
	n, err := strconv.Atoi(strings.Fields(string(text))[field])
	if err != nil {
		p.t.Fatal(err)
	}
	return n
}

// threads counts the process's threads by what their names begin with.
func (p *process) threads(name string) (n int) {
	p.t.Helper()
	names, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/comm", p.cmd.Process.Pid))
	if err != nil {
		p.t.Fatal(err)
	}
	for _, file := range names {
		if comm, _ := os.ReadFile(file); strings.HasPrefix(string(comm), name) {
			n++
		}
	}
	return n
}

// TestProxyStorm: clients that go away at any moment leave nothing behind.
func TestProxyStorm(t *testing.T) {
	eachDriver(t, func(t *testing.T, driver string) {
		p, addr := startProxy(t, echoes, "-driver", driver)
		if err := exchange(addr, 1000); err != nil {
			t.Fatal(err)
		}
		before := p.holds("")
		flood := make([]byte, 10_000_000)
		var clients sync.WaitGroup
		for i := range 8 {
			clients.Go(func() {
				for j := range 40 {
					c, err := net.Dial("tcp", addr)
					if err != nil {
						t.Error(err)
						return
					}
					c.SetDeadline(patience.Deadline())
					switch (i + j) % 4 {
					case 1:
						c.Write(flood[:100_000])
					case 2:
						c.Write(make([]byte, 10))
						c.Read(make([]byte, 5))
					case 3:
						go c.Write(flood)
						io.ReadFull(c, make([]byte, 500_000))
					}
					c.(*net.TCPConn).SetLinger(0)
					c.Close()
				}
			})
		}
		clients.Wait()
		patience.Until(t, fmt.Sprintf("%d descriptors, and pipes that are kept", before), func() bool {
			all := p.holds("")
			return all <= before+2*8
		})
		if err := exchange(addr, 1000); err != nil {
			t.Error(err)
		}
		p.finish()
	})
}

// TestProxyIdle: a thousand idle pairs have no thread of the kernel's, and no pipes.
func TestProxyIdle(t *testing.T) {
	const pairs = 1000
	testmain.NeedDescriptors(t, 4*pairs)
	eachDriver(t, func(t *testing.T, driver string) {
		p, addr := startProxy(t, echoes, "-driver", driver, "-loops", "2", "-grace", "0s")
		before := p.holds("pipe:") // its stderr
		for range pairs {
			pingPong(t, dial(t, addr))
		}
		all, pipes := p.holds(""), p.holds("pipe:")
		if all < 2*pairs || pipes > before {
			t.Errorf("%d descriptors, %d of them pipes", all, pipes)
		}
		if n := p.threads("iou-wrk"); n > 0 {
			t.Errorf("%d threads of the kernel's work queue", n)
		}
		// Bulk takes pipes while it lasts, and few are kept.
		if err := exchange(addr, 20_000_000); err != nil {
			t.Error(err)
		}
		if pipes := p.holds("pipe:"); pipes > before+2*2*8 {
			t.Errorf("%d pipes after bulk", pipes)
		}
		p.finish()
	})
}

// TestProxyUnix: either side may be a Unix socket.
func TestProxyUnix(t *testing.T) {
	eachDriver(t, func(t *testing.T, driver string) {
		dir := t.TempDir()
		ln, err := net.Listen("unix", filepath.Join(dir, "back"))
		if err != nil {
			t.Fatal(err)
		}
		backend(t, ln, func(c net.Conn) {
			io.Copy(c, struct{ io.Reader }{c})
			c.(*net.UnixConn).CloseWrite()
		})
		front := filepath.Join(dir, "front")
		p := start(t, tool(t, "proxy", "-listen", "unix://"+front, "-to", "unix://"+ln.Addr().String(), "-driver",
			driver))
		if line := p.line("listening"); !strings.HasPrefix(line, "listening unix://"+front+" driver=") {
			t.Errorf("the line is %q", line)
		}
		for _, size := range []int{0, 100, 10_000_000} {
			c, err := net.Dial("unix", front)
			if err != nil {
				t.Fatal(err)
			}
			c.SetDeadline(patience.Deadline())
			sent := noise(size)
			go func() {
				c.Write(sent)
				c.(*net.UnixConn).CloseWrite()
			}()
			if got, err := io.ReadAll(c); err != nil || !bytes.Equal(got, sent) {
				t.Errorf("%d bytes came back of %d: %v", len(got), size, err)
			}
			c.Close()
		}
		p.finish()
	})
}
