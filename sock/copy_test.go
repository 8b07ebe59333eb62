package sock_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"ringo"
	"ringo/file"
	"ringo/internal/test/patience"
	"ringo/sock"
)

// An end is what a copy reads from or writes to, and who is there.
type end struct {
	rw   any
	peer net.Conn // nil: a file
}

// ends makes one end of each kind, for a Run of two loops.
func ends(t *testing.T, here, there *ringo.Loop, file string) map[string]func() end {
	on := func(l *ringo.Loop) func() end {
		return func() (e end) {
			l.Go(func() {
				c, peer := connect(t, l)
				e = end{c, peer}
			}).Wait()
			return e
		}
	}
	std := func(network, address string) func() end {
		return func() end {
			ln, err := net.Listen(network, address)
			if err != nil {
				t.Fatal(err)
			}
			defer ln.Close()
			peer, err := net.Dial(network, ln.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			c, err := ln.Accept()
			if err != nil {
				t.Fatal(err)
			}
			return end{c, peer}
		}
	}
	open := func(wrap func(*os.File) any) func() end {
		return func() end {
			f, err := os.Open(file)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { f.Close() })
			return end{wrap(f), nil}
		}
	}
	return map[string]func() end{
		"conn":        on(here),
		"conn there":  on(there),
		"net tcp":     std("tcp", "127.0.0.1:0"),
		"net unix":    std("unix", filepath.Join(t.TempDir(), "s")),
		"file":        open(func(f *os.File) any { return f }),
		"part":        open(func(f *os.File) any { return io.LimitReader(io.LimitReader(f, copied), 1<<40) }),
		"not to look": open(func(f *os.File) any { return struct{ io.Reader }{f} }),
	}
}

// copied is how many bytes each copy moves.
const copied = 6<<20 + 12345

// twoLoops runs body on a goroutine, beside two loops.
func twoLoops(t *testing.T, cfg ringo.Config, body func(here, there *ringo.Loop)) {
	t.Helper()
	cfg.Loops = 2
	end := make(chan bool)
	patience.Within(t.Name(), func() {
		if err := ringo.Run(t.Context(), &cfg, func(l *ringo.Loop) error {
			if l != l.Loops()[0] {
				return l.Offload(func(context.Context) error { <-end; return nil })
			}
			defer close(end)
			return l.Offload(func(context.Context) error { body(l, l.Loops()[1]); return nil })
		}); err != nil {
			t.Error(err)
		}
	})
}

// Whatever copies, from whatever to whatever: all bytes come, in order, and then the end.
func TestCopies(t *testing.T) {
	t.Parallel()
	file := patternFile(t, copied)
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		twoLoops(t, cfg, func(here, there *ringo.Loop) {
			kinds := ends(t, here, there, file)
			for from, makeFrom := range kinds {
				for to, makeTo := range kinds {
					if makeTo().peer == nil || from != "conn" && from != "conn there" &&
						to != "conn" && to != "conn there" {
						continue
					}
					for _, who := range []string{"task", "task there", "goroutine"} {
						t.Run(fmt.Sprint(from, " to ", to, " by ", who), func(t *testing.T) {
							copyOne(t, here, there, makeFrom(), makeTo(), who)
						})
					}
				}
			}
		})
	})
}

func copyOne(t *testing.T, here, there *ringo.Loop, from, to end, who string) {
	if from.peer != nil {
		defer from.peer.Close()
		defer from.rw.(io.Closer).Close()
		go func() {
			p := make([]byte, copied)
			pattern(p, 0)
			from.peer.Write(p[:100])
			from.peer.Write(p[100:])
			from.peer.(interface{ CloseWrite() error }).CloseWrite()
		}()
	}
	defer to.peer.Close()
	defer to.rw.(io.Closer).Close()
	got := make(chan error, 1)
	go func() {
		p, err := io.ReadAll(to.peer)
		if bad := mismatch(p, 0); err == nil && (bad >= 0 || len(p) != copied) {
			err = fmt.Errorf("%d bytes came of %d, wrong from %d on", len(p), copied, bad)
		}
		got <- err
	}()
	copyIt := func() {
		if c, ok := from.rw.(*sock.Conn); ok { // what was peeked at goes first
			if p, err := c.Peek(10); err != nil || mismatch(p, 0) >= 0 {
				t.Errorf("Peek: %q, %v", p, err)
			}
		}
		n, err := io.Copy(to.rw.(io.Writer), from.rw.(io.Reader))
		if n != copied || err != nil {
			t.Errorf("io.Copy = %d, %v, want %d", n, err, copied)
		}
		to.rw.(interface{ CloseWrite() error }).CloseWrite()
	}
	switch who {
	case "task":
		here.Go(copyIt).Wait()
	case "task there":
		there.Go(copyIt).Wait()
	case "goroutine":
		copyIt()
	}
	if err := <-got; err != nil {
		t.Error(err)
	}
}

// patternFile makes a file of the pattern.
func patternFile(t *testing.T, size int) string {
	t.Helper()
	p := make([]byte, size)
	pattern(p, 0)
	name := filepath.Join(t.TempDir(), "pattern")
	if err := os.WriteFile(name, p, 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

// A task that copies to or from a connection of package net parks, and no more than that, also
// one of another loop; to cancel it ends the copy, whatever it waits for.
func TestCopyStuck(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		twoLoops(t, cfg, func(here, there *ringo.Loop) {
			for _, name := range []string{"from, nothing comes", "from, nothing goes",
				"to, nothing comes", "to, nothing goes"} {
				for who, l := range map[string]*ringo.Loop{"task": here, "task there": there} {
					t.Run(name+", "+who, func(t *testing.T) {
						kinds := ends(t, here, there, "")
						mine, theirs := kinds["conn"](), kinds["net tcp"]()
						c, peer, std, stdPeer := mine.rw.(*sock.Conn), mine.peer, theirs.rw.(net.Conn), theirs.peer
						for _, o := range []io.Closer{c, peer, std, stdPeer} {
							defer o.Close()
						}
						source := peer
						copyIt := func() error { _, err := c.WriteTo(std); return err }
						if strings.HasPrefix(name, "from") {
							source = stdPeer
							copyIt = func() error { _, err := c.ReadFrom(std); return err }
						}
						if strings.HasSuffix(name, "goes") {
							go source.Write(make([]byte, 32<<20))
						}
						started := make(chan struct{})
						copying := l.Go(func() { close(started); wantCanceled(t, "copy", copyIt()) })
						<-started
						l.Go(func() { others(l) }).Wait() // it comes to its wait
						turned := make(chan struct{})
						l.Post(func() { close(turned) })
						if !patience.Done(t, "a turn of the loop that copies", turned) {
							peer.Close()
							stdPeer.Close()
						}
						copying.Cancel()
						copying.Wait()
					})
				}
			}
		})
	})
}

// io.Copy of a File asks the File first, which leaves it to the connection: sendfile, also
// to one of package net.
func TestCopyOfFileToConn(t *testing.T) {
	const size = 3 << 20
	name, sent := patternFile(t, size), sendfiles(t)
	for what, copied := range map[string]func(c *sock.Conn, f *file.File) (int64, error){
		"io.Copy": func(c *sock.Conn, f *file.File) (int64, error) { return io.Copy(c, f) },
		"WriteTo": func(c *sock.Conn, f *file.File) (int64, error) { return f.WriteTo(c) },
		"limited": func(c *sock.Conn, f *file.File) (int64, error) { return io.CopyN(c, f, size) },
	} {
		t.Run(what, func(t *testing.T) {
			asAll(t, func(t *testing.T, c *sock.Conn, peer tcpPeer) {
				wait, before := waiter(c), sent.Load()
				f, err := file.Open(name)
				if err != nil {
					t.Fatal(err)
				}
				defer f.Close()
				got := make(chan error, 1)
				go func() {
					p := make([]byte, size)
					_, err := io.ReadFull(peer, p)
					if bad := mismatch(p, 0); err == nil && bad >= 0 {
						err = fmt.Errorf("byte %d is wrong", bad)
					}
					got <- err
				}()
				if n, err := copied(c, f); n != size || err != nil {
					t.Errorf("%d, %v, want %d", n, err, size)
				}
				if err := wait(got); err != nil {
					t.Error(err)
				}
				if by := sent.Load() - before; by < size/2 {
					t.Errorf("%d bytes went by sendfile, of %d", by, size)
				}
			})
		})
	}
}

// What is no regular file is read, and io.Copy does not go round between the two.
func TestCopyOfPipeToConn(t *testing.T) {
	asAll(t, func(t *testing.T, c *sock.Conn, peer tcpPeer) {
		wait := waiter(c)
		r, w, err := file.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		w.WriteString("through a pipe")
		w.Close()
		if n, err := io.Copy(c, r); n != 14 || err != nil {
			t.Errorf("io.Copy = %d, %v", n, err)
		}
		r.Close()
		got := make(chan error, 1)
		go func() {
			p := make([]byte, 14)
			_, err := io.ReadFull(peer, p)
			if err == nil && string(p) != "through a pipe" {
				err = fmt.Errorf("the peer got %q", p)
			}
			got <- err
		}()
		if err := wait(got); err != nil {
			t.Error(err)
		}
	})
}

// io.Copy of a connection to a File writes what comes, until its end.
func TestCopyOfConnToFile(t *testing.T) {
	const size = 1 << 20
	want, err := os.ReadFile(patternFile(t, size))
	if err != nil {
		t.Fatal(err)
	}
	for what, flag := range map[string]int{"written": 0, "appended": os.O_APPEND} {
		t.Run(what, func(t *testing.T) {
			asAll(t, func(t *testing.T, c *sock.Conn, peer tcpPeer) {
				f, err := file.OpenFile(t.TempDir()+"/f", os.O_RDWR|os.O_CREATE|flag, 0o600)
				if err != nil {
					t.Fatal(err)
				}
				defer f.Close()
				go func() {
					peer.Write(want)
					peer.CloseWrite()
				}()
				if n, err := io.Copy(f, c); n != size || err != nil {
					t.Errorf("io.Copy = %d, %v, want %d", n, err, size)
				}
				got, err := os.ReadFile(f.Name())
				if err != nil || string(got) != string(want) {
					t.Errorf("the file holds other %d bytes, %v", len(got), err)
				}
			})
		})
	}
}

// A connection of package net takes a File by sendfile as it takes one of package os.
func TestCopyOfFileToNetConn(t *testing.T) {
	const size = 1 << 20
	name := patternFile(t, size)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	c, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	peer, err := ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer peer.Close()
	f, err := file.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	done := make(chan error, 1)
	go func() {
		n, err := io.Copy(c, f)
		if n != size && err == nil {
			err = fmt.Errorf("io.Copy = %d", n)
		}
		c.(*net.TCPConn).CloseWrite()
		done <- err
	}()
	got, err := io.ReadAll(peer)
	if len(got) != size || err != nil || mismatch(got, 0) >= 0 {
		t.Errorf("the peer got %d bytes, %v", len(got), err)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// While a copy waits for room in a connection of another loop it holds no buffer of its own one's.
func TestCopyToAnotherLoopHoldsNoBuffer(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		twoLoops(t, cfg, func(here, there *ringo.Loop) {
			kinds := ends(t, here, there, "")
			from, to := kinds["conn"](), kinds["conn there"]()
			src, dst := from.rw.(*sock.Conn), to.rw.(*sock.Conn)
			for _, c := range []io.Closer{src, dst, from.peer, to.peer} {
				defer c.Close()
			}
			there.Go(func() { fill(t, there, dst) }).Wait()
			copying := here.Go(func() { wantCanceled(t, "copy", second(io.Copy(dst, src))) })
			for !onStack("sock.(*Conn).writeElsewhere(") { // the kernel may have found some room since
				send(t, from.peer, strings.Repeat("x", 4096))
			}
			eventually(t, "the copy holds no buffer", func() bool {
				held := 0
				here.Go(func() { held = here.Stats().Buffers }).Wait()
				return held == 0
			})
			copying.Cancel()
			copying.Wait()
		})
	})
}

func second(_ any, err error) error { return err }
