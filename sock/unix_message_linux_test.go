//go:build linux

package sock_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"

	"ringo"
	"ringo/internal/test/patience"
	"ringo/internal/test/socktest"
	"ringo/sock"
)

// eachMessage runs f for each driver, Unix network and caller, on a connection and its
// peer, which is package net's.
func eachMessage(t *testing.T, f func(c *sock.Conn, peer unixPeer) error) {
	eachUnix(t, func(t *testing.T, cfg ringo.Config, network string) {
		byCallers(t, cfg, network, f)
	})
}

func byCallers(t *testing.T, cfg ringo.Config, network string, f func(c *sock.Conn, peer unixPeer) error) {
	for _, by := range callers {
		t.Run(by.name, func(t *testing.T) {
			unixPair(t, cfg, network, func(l *ringo.Loop, c *sock.Conn, peer unixPeer) {
				if err := by.run(l, func() error { return f(c, peer) })(); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

// control asks fcntl(2) of a file.
func control(f *os.File, cmd int) int {
	n, _, _ := syscall.Syscall(syscall.SYS_FCNTL, uintptr(number(f)), uintptr(cmd), 0)
	return int(n)
}

func TestReadMsgUnix(t *testing.T) {
	eachMessage(t, func(c *sock.Conn, peer unixPeer) error {
		w, r, err := passed()
		if err != nil {
			return err
		}
		defer r.Close()
		defer w.Close()
		_, _, err = peer.(*net.UnixConn).WriteMsgUnix([]byte("look"), syscall.UnixRights(number(w)), nil)
		if err != nil {
			return err
		}
		p, oob := make([]byte, 10), make([]byte, 64)
		n, oobn, flags, addr, err := c.ReadMsgUnix(p, oob)
		if err != nil || string(p[:n]) != "look" || flags != 0 || addr != nil {
			return fmt.Errorf("%q, flags %#x, from %v, %v", p[:n], flags, addr, err)
		}
		fds, err := rightsOf(oob[:oobn])
		if err != nil || len(fds) != 1 {
			return fmt.Errorf("descriptors %v, %v", fds, err)
		}
		got := os.NewFile(uintptr(fds[0]), "got")
		defer got.Close()
		if control(got, syscall.F_GETFD)&syscall.FD_CLOEXEC == 0 {
			return errors.New("the descriptor survives exec")
		}
		return speaks(got, r)
	})
}

func rightsOf(oob []byte) (fds []int, err error) {
	messages, err := syscall.ParseSocketControlMessage(oob)
	for _, m := range messages {
		some, err := syscall.ParseUnixRights(&m)
		if err != nil {
			return nil, err
		}
		fds = append(fds, some...)
	}
	return fds, err
}

func TestWriteMsgUnix(t *testing.T) {
	eachMessage(t, func(c *sock.Conn, peer unixPeer) error {
		w, r, err := passed()
		if err != nil {
			return err
		}
		defer r.Close()
		defer w.Close()
		for _, text := range []string{"look", ""} {
			n, oobn, err := c.WriteMsgUnix([]byte(text), syscall.UnixRights(number(w)), nil)
			if err != nil || n != len(text) || oobn == 0 {
				return fmt.Errorf("WriteMsgUnix of %q: %d, %d, %v", text, n, oobn, err)
			}
			p, oob := make([]byte, 10), make([]byte, 64)
			n, oobn, _, _, err = peer.(*net.UnixConn).ReadMsgUnix(p, oob)
			if want := text + "\x00"[:max(0, 1-len(text))]; err != nil || string(p[:n]) != want {
				return fmt.Errorf("the peer has %q, %v, want %q", p[:n], err, want)
			}
			fds, err := rightsOf(oob[:oobn])
			if err != nil || len(fds) != 1 {
				return fmt.Errorf("descriptors %v, %v", fds, err)
			}
			got := os.NewFile(uintptr(fds[0]), "got")
			defer got.Close()
			if err := speaks(got, r); err != nil {
				return err
			}
		}
		_, _, err = c.WriteMsgUnix([]byte("x"), nil, &net.UnixAddr{Name: "/x", Net: "unix"})
		if !errors.Is(err, syscall.EISCONN) {
			return fmt.Errorf("to an address: %v, want EISCONN", err)
		}
		// A byte goes with what has none, and is read so.
		if _, _, err := peer.(*net.UnixConn).WriteMsgUnix(nil, syscall.UnixRights(number(w)), nil); err != nil {
			return err
		}
		oob := make([]byte, 64)
		n, oobn, _, _, err := c.ReadMsgUnix(nil, oob)
		fds, _ := rightsOf(oob[:oobn])
		for _, fd := range fds {
			syscall.Close(fd)
		}
		if n != 1 || len(fds) != 1 || err != nil {
			return fmt.Errorf("ReadMsgUnix into nothing: %d, %v, %v", n, fds, err)
		}
		return nil
	})
}

// The peer's name is told, and the end is io.EOF.
func TestReadMsgUnixEnds(t *testing.T) {
	eachUnix(t, func(t *testing.T, cfg ringo.Config, network string) {
		onLoop(t, cfg, func(l *ringo.Loop) {
			ln := listenUnix(t, l, network, abstractName())
			defer ln.Close()
			own := &net.UnixAddr{Name: abstractName(), Net: network}
			d, err := (&sock.Dialer{LocalAddr: own}).Dial(l, network, ln.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			c, err := ln.AcceptConn()
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			d.Write([]byte("truncated"))
			d.Close()
			p := make([]byte, 3)
			n, _, flags, addr, err := c.ReadMsgUnix(p, nil)
			if n != 3 || err != nil || addr == nil || *addr != *own ||
				(flags&syscall.MSG_TRUNC != 0) != (network == "unixpacket") {
				t.Errorf("ReadMsgUnix: %d, flags %#x, from %v, %v", n, flags, addr, err)
			}
			if network == "unix" {
				io.ReadFull(c, make([]byte, 6))
			}
			if _, _, _, _, err := c.ReadMsgUnix(p, nil); err != io.EOF {
				t.Errorf("at the end: %v, want EOF", err)
			}
		})
	})
}

// Bytes that were fetched come first, and what belongs to others stays with them.
func TestReadMsgUnixAfterPeek(t *testing.T) {
	eachMessage(t, func(c *sock.Conn, peer unixPeer) error {
		w, r, err := passed()
		if err != nil {
			return err
		}
		defer r.Close()
		defer w.Close()
		peer.Write([]byte("plain"))
		if _, err := c.Peek(5); err != nil {
			return err
		}
		if _, _, err := peer.(*net.UnixConn).WriteMsgUnix([]byte("x"), syscall.UnixRights(number(w)), nil); err != nil {
			return err
		}
		p, oob := make([]byte, 3), make([]byte, 64)
		n, oobn, flags, _, err := c.ReadMsgUnix(p, oob)
		if n != 3 || oobn != 0 || err != nil ||
			(flags&syscall.MSG_TRUNC != 0) != strings.HasPrefix(c.LocalAddr().Network(), "unixpacket") {
			return fmt.Errorf("of what was here: %d, %d, %#x, %v", n, oobn, flags, err)
		}
		if !strings.HasPrefix(c.LocalAddr().Network(), "unixpacket") {
			if n, oobn, _, _, err := c.ReadMsgUnix(p, oob); n != 2 || oobn != 0 || err != nil {
				return fmt.Errorf("the rest of what was here: %d, %d, %v", n, oobn, err)
			}
		}
		n, files, err := c.RecvFiles(p, 1)
		if n != 1 || len(files) != 1 || err != nil {
			return fmt.Errorf("behind it: %d, %v, %v", n, files, err)
		}
		defer files[0].Close()
		return speaks(files[0], r)
	})
}

// What only Unix sockets can do is refused by others, and the other way round.
func TestUnixRefusals(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		pair(t, cfg, func(l *ringo.Loop, c *sock.Conn, _ tcpPeer) {
			for name, err := range map[string]error{
				"ReadMsgUnix":  func() error { _, _, _, _, err := c.ReadMsgUnix(nil, nil); return err }(),
				"WriteMsgUnix": func() error { _, _, err := c.WriteMsgUnix(nil, nil, nil); return err }(),
				"SendFiles":    func() error { _, err := c.SendFiles([]byte("x"), os.Stdin); return err }(),
				"RecvFiles":    func() error { _, _, err := c.RecvFiles(make([]byte, 1), 1); return err }(),
				"PeerCred":     func() error { _, _, _, err := c.PeerCred(); return err }(),
			} {
				var op *net.OpError
				if !errors.Is(err, syscall.EOPNOTSUPP) || !errors.Is(err, errors.ErrUnsupported) ||
					!errors.As(err, &op) || op.Net != "tcp" {
					t.Errorf("%s of a TCP connection: %v", name, err)
				}
			}
		})
	})
	eachMessage(t, func(c *sock.Conn, _ unixPeer) error {
		for name, err := range map[string]error{
			"SetNoDelay": c.SetNoDelay(true), "SetKeepAlive": c.SetKeepAlive(true),
			"SetKeepAlivePeriod": c.SetKeepAlivePeriod(1e9),
			"SetKeepAliveConfig": c.SetKeepAliveConfig(net.KeepAliveConfig{Enable: true}), "SetLinger": c.SetLinger(0),
			"SetOptions": c.SetOptions(sock.Options{}), "Options": second(c.Options()),
		} {
			var op *net.OpError
			if !errors.Is(err, syscall.EOPNOTSUPP) && !errors.Is(err, syscall.ENOPROTOOPT) || !errors.As(err, &op) ||
				!strings.HasPrefix(op.Net, "unix") {
				return fmt.Errorf("%s: %v", name, err)
			}
		}
		return errors.Join(c.SetReadBuffer(1<<16), c.SetWriteBuffer(1<<16))
	})
}

func TestPeerCred(t *testing.T) {
	eachMessage(t, func(c *sock.Conn, _ unixPeer) error {
		pid, uid, gid, err := c.PeerCred()
		if pid != os.Getpid() || uid != os.Getuid() || gid != os.Getgid() {
			return fmt.Errorf("pid %d, uid %d, gid %d, %v", pid, uid, gid, err)
		}
		return err
	})
}

// Messages cross while both sides write without reading: all go both ways, in order,
// each with its descriptor.
func TestMessagesCross(t *testing.T) {
	eachUnix(t, func(t *testing.T, cfg ringo.Config, network string) {
		eachCallers(t, func(t *testing.T, reader, writer byEach) {
			ringoPair(t, cfg, network, func(l *ringo.Loop, c, d *sock.Conn) {
				w, r, err := passed()
				if err != nil {
					t.Fatal(err)
				}
				defer r.Close()
				defer w.Close()
				const rounds, size = 200, 4000
				send := func(c *sock.Conn) func() error {
					return func() error {
						for i := range rounds {
							if n, err := c.SendFiles(bytes.Repeat([]byte{byte(i)}, size), w); n != size || err != nil {
								return fmt.Errorf("message %d: %d bytes out, %v", i, n, err)
							}
						}
						return nil
					}
				}
				recv := func(c *sock.Conn) func() error {
					return func() error {
						p := make([]byte, size)
						for i := range rounds {
							n, files, err := c.RecvFiles(p, 1)
							if err != nil || len(files) != 1 {
								return fmt.Errorf("message %d: %v, %v", i, files, err)
							}
							files[0].Close()
							if _, err := io.ReadFull(c, p[n:]); n < size && err != nil {
								return err
							}
							if !bytes.Equal(p, bytes.Repeat([]byte{byte(i)}, size)) {
								return fmt.Errorf("message %d has other bytes", i)
							}
						}
						return nil
					}
				}
				var waits []func() error
				for _, c := range []*sock.Conn{c, d} {
					waits = append(waits, writer.run(l, send(c)))
				}
				l.Sleep(0)
				for _, c := range []*sock.Conn{c, d} {
					waits = append(waits, reader.run(l, recv(c)))
				}
				for _, wait := range waits {
					if err := wait(); err != nil {
						t.Error(err)
					}
				}
			})
		})
	})
}

// eachRecord runs f for each driver and caller, on a connection of records and its
// peer, which is package net's.
func eachRecord(t *testing.T, f func(c *sock.Conn, peer unixPeer) error) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		byCallers(t, cfg, "unixpacket", f)
	})
}

// sendRecords sends records of these sizes, all at once.
func sendRecords(peer unixPeer, sizes ...int) error {
	for _, n := range sizes {
		if _, err := peer.Write(record(n)); err != nil {
			return err
		}
	}
	return nil
}

// is compares what came with what is wanted.
func is(what string, got []byte, err error, want []byte, wantErr error) error {
	if !bytes.Equal(got, want) || !errors.Is(err, wantErr) {
		return fmt.Errorf("%s: %d bytes and %v, want %d and %v", what, len(got), err, len(want), wantErr)
	}
	return nil
}

// sizes are of records that fit a buffer of the loop's, and that don't.
var sizes = []int{1, 10, 4000, 16384, 16385, 30_000, 3}

func TestRecordsNext(t *testing.T) {
	eachRecord(t, func(c *sock.Conn, peer unixPeer) error {
		if err := sendRecords(peer, sizes...); err != nil {
			return err
		}
		for _, n := range sizes {
			b, err := c.Next()
			if err := is(fmt.Sprintf("Next of %d", n), b.Bytes(), err, record(n), nil); err != nil {
				return err
			}
			b.Release()
		}
		for range 4 {
			if err := sendRecords(peer, 20_000); err != nil {
				return err
			}
			b, err := c.Next()
			if err != nil {
				return err
			}
			defer b.Release()
		}
		if b, err := c.Next(); err == nil {
			b.Release()
			return errors.New("a lease beyond the bound")
		}
		return nil
	})
}

func TestRecordsPeek(t *testing.T) {
	eachRecord(t, func(c *sock.Conn, peer unixPeer) error {
		if p, err := c.Peek(0); len(p) != 0 || err != nil {
			return fmt.Errorf("Peek(0): %q, %v", p, err)
		}
		if n, err := c.Discard(0); n != 0 || err != nil {
			return fmt.Errorf("Discard(0): %d, %v", n, err)
		}
		for _, n := range sizes {
			if err := sendRecords(peer, n, 5, n, n, n, 6); err != nil {
				return err
			}
			p, err := c.Peek(1)
			err = is("Peek(1)", p, err, record(n)[:1], nil)
			if got := c.Buffered(); got != n {
				err = errors.Join(err, fmt.Errorf("Buffered() = %d in a record of %d", got, n))
			}
			if p, perr := c.Peek(n); err == nil {
				err = is("Peek of all", p, perr, record(n), nil)
			}
			if p, perr := c.Peek(n + 1); err == nil {
				err = is("Peek of more", p, perr, record(n), io.ErrUnexpectedEOF)
			}
			if k, derr := c.Discard(n); err == nil && (k != n || derr != nil) {
				err = fmt.Errorf("Discard(%d) = %d, %v", n, k, derr)
			}
			// What a short read leaves of a record that was looked at is dropped, too.
			q := make([]byte, 3)
			c.Peek(1)
			if k, rerr := c.Read(q); err == nil {
				err = is("Read of a part", q[:k], rerr, record(5)[:3], nil)
			}
			if k, derr := c.Discard(n + 1); err == nil && (k != n || derr != io.ErrUnexpectedEOF) {
				err = fmt.Errorf("Discard(%d) = %d, %v", n+1, k, derr)
			}
			// Next gives what is left of one.
			k, derr := c.Discard(n - 1)
			b, nerr := c.Next()
			if err == nil && (k != n-1 || derr != nil) {
				err = fmt.Errorf("Discard(%d) = %d, %v", n-1, k, derr)
			}
			if want := record(n)[n-1:]; err == nil && n > 1 {
				err = is("Next of the rest", b.Bytes(), nerr, want, nil)
			}
			b.Release()
			c.Discard(n)
			if p, perr := c.Peek(1 << 20); err == nil {
				err = is("Peek of the last", p, perr, record(6), io.ErrUnexpectedEOF)
			}
			c.Discard(6)
			if err != nil {
				return fmt.Errorf("records of %d: %w", n, err)
			}
		}
		return nil
	})
}

// As with package net, a record of no bytes reads as io.EOF, and so does the end.
func TestRecordsEmpty(t *testing.T) {
	eachRecord(t, func(c *sock.Conn, peer unixPeer) error {
		p := make([]byte, 10)
		if err := sendRecords(peer, 0, 4, 0, 5, 0, 6); err != nil {
			return err
		}
		for _, n := range []int{0, 4, 0} {
			k, err := c.Read(p)
			if n == 0 && (k != 0 || err != io.EOF) || n > 0 && (k != n || err != nil) {
				return fmt.Errorf("Read of a record of %d: %d, %v", n, k, err)
			}
		}
		b, err := c.Next()
		if err := is("Next", b.Bytes(), err, record(5), nil); err != nil {
			return err
		}
		b.Release()
		if b, err := c.Next(); err != io.EOF {
			return fmt.Errorf("Next of an empty record: %q, %v", b.Bytes(), err)
		}
		q, err := c.Peek(6)
		if err := is("Peek", q, err, record(6), nil); err != nil {
			return err
		}
		c.Discard(6)
		peer.CloseWrite()
		for range 3 {
			if n, err := c.Read(p); n != 0 || err != io.EOF {
				return fmt.Errorf("at the end: %d, %v", n, err)
			}
		}
		// And out.
		for _, n := range []int{0, 3, 0, 2} {
			if k, err := c.Write(record(n)); k != n || err != nil {
				return fmt.Errorf("Write of %d: %d, %v", n, k, err)
			}
		}
		for _, n := range []int{0, 3, 0, 2} {
			if k, err := peer.Read(p); k != n || (err == io.EOF) != (n == 0) {
				return fmt.Errorf("the peer's Read of %d: %d, %v", n, k, err)
			}
		}
		return nil
	})
}

// A record goes out whole or not at all.
func TestRecordsWrite(t *testing.T) {
	eachRecord(t, func(c *sock.Conn, peer unixPeer) error {
		for _, n := range sizes {
			p := make([]byte, 1<<17)
			if k, err := c.Write(record(n)); k != n || err != nil {
				return fmt.Errorf("Write of %d: %d, %v", n, k, err)
			}
			k, err := peer.Read(p)
			if err := is("the peer's Read", p[:k], err, record(n), nil); err != nil {
				return err
			}
		}
		if n, err := c.Write(make([]byte, 3<<20)); n != 0 || !errors.Is(err, syscall.EMSGSIZE) {
			return fmt.Errorf("a record of 3 MiB: %d, %v", n, err)
		}
		return nil
	})
}

// A writer waits for room with its record, also with an empty one, and the order is
// kept.
func TestRecordsWriteWaits(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		eachCallers(t, func(t *testing.T, reader, writer byEach) {
			ringoPair(t, cfg, "unixpacket", func(l *ringo.Loop, c, d *sock.Conn) {
				const rounds = 300
				size := func(i int) int { return (i * 997) % 9000 / (1 + i%3*4) }
				write := writer.run(l, func() error {
					for i := range rounds {
						for _, n := range []int{size(i), 0} {
							if k, err := d.Write(record(n)); k != n || err != nil {
								return fmt.Errorf("Write of %d: %d, %v", n, k, err)
							}
						}
					}
					return nil
				})
				l.Sleep(0)
				read := reader.run(l, func() error {
					p := make([]byte, 10000)
					for i := range rounds {
						for _, n := range []int{size(i), 0} {
							k, err := c.Read(p)
							if n == 0 && err == io.EOF {
								err = nil
							}
							if err := is(fmt.Sprint("record ", i), p[:k], err, record(n), nil); err != nil {
								return err
							}
						}
					}
					return nil
				})
				if err := errors.Join(read(), write()); err != nil {
					t.Error(err)
				}
			})
		})
	})
}

// Copies keep the boundaries, whoever copies, and records are copied whole.
func TestRecordsCopy(t *testing.T) {
	copies := map[string]func(dst, src *sock.Conn) (int64, error){
		"io.Copy":  func(dst, src *sock.Conn) (int64, error) { return io.Copy(dst, src) },
		"ReadFrom": func(dst, src *sock.Conn) (int64, error) { return dst.ReadFrom(src) },
	}
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		for name, copyAll := range copies {
			for _, by := range callers {
				t.Run(name+" in a "+by.name, func(t *testing.T) {
					ringoPair(t, cfg, "unixpacket", func(l *ringo.Loop, c, d *sock.Conn) {
						ln := listenUnix(t, l, "unixpacket", abstractName())
						defer ln.Close()
						src := dialUnix(t, "unixpacket", ln.Addr().String())
						defer src.Close()
						from, err := ln.AcceptConn()
						if err != nil {
							t.Fatal(err)
						}
						defer from.Close()
						if err := sendRecords(src, sizes...); err != nil {
							t.Fatal(err)
						}
						src.CloseWrite()
						var n int64
						wait := by.run(l, func() error {
							n, err = copyAll(c, from)
							return errors.Join(err, c.CloseWrite())
						})
						p := make([]byte, 1<<17)
						var got []int
						for {
							k, err := d.Read(p)
							if err != nil {
								break
							}
							got = append(got, k)
						}
						if err := wait(); err != nil || !slices.Equal(got, sizes) || int(n) != sum(sizes) {
							t.Errorf("%v came in %d bytes, want %v: %v", got, n, sizes, err)
						}
					})
				})
			}
		}
	})
}

func sum(n []int) (total int) {
	for _, n := range n {
		total += n
	}
	return total
}

// Served, a record is what a request is called for, and it has to take it.
func TestRecordsServe(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		name := abstractName()
		closed := make(chan error, 10)
		h := &sock.Handler{
			Request: func(c *sock.Conn) error {
				n := c.Buffered()
				p, err := c.Peek(n)
				if err != nil || n == 0 || n == 4 {
					return nil // the end; 4 bytes are left where they are
				}
				if _, err := c.Write(p); err != nil {
					return err
				}
				_, err = c.Discard(n)
				return err
			},
			Closed: func(_ *sock.Conn, err error) { closed <- err },
		}
		ctx, cancel := context.WithCancel(context.Background())
		ready, ended := make(chan bool), make(chan error, 1)
		go func() {
			ended <- socktest.RunLoops(t, ctx, &cfg, func(l *ringo.Loop) error {
				ln, err := sock.Listen(l, "unixpacket", name)
				close(ready)
				if err != nil {
					return err
				}
				return sock.Serve(l, ln, h)
			})
		}()
		<-ready
		why := func() (err error) {
			patience.Within("Closed", func() { err = <-closed })
			return err
		}
		p := make([]byte, 1<<17)
		peer := dialUnix(t, "unixpacket", name)
		defer peer.Close()
		if err := sendRecords(peer, sizes...); err != nil {
			t.Fatal(err)
		}
		for _, n := range sizes {
			k, err := peer.Read(p)
			if err := is("the answer", p[:k], err, record(n), nil); err != nil {
				t.Fatal(err)
			}
		}
		peer.Close()
		if err := why(); err != io.EOF {
			t.Errorf("closed by the peer: %v, want EOF", err)
		}
		peer = dialUnix(t, "unixpacket", name)
		defer peer.Close()
		sendRecords(peer, 4)
		if err := why(); err != bufio.ErrBufferFull {
			t.Errorf("closed with a record unread: %v, want ErrBufferFull", err)
		}
		cancel()
		patience.Within("the server's end", func() {
			if err := <-ended; err != nil {
				t.Error(err)
			}
		})
	})
}

// A record that the loop holds moves to goroutines as one, and back.
func TestRecordsChangeHands(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		unixPair(t, cfg, "unixpacket", func(l *ringo.Loop, c *sock.Conn, peer unixPeer) {
			p := make([]byte, 1<<17)
			for i, n := range slices.Repeat(sizes, 4) {
				sendRecords(peer, n, 1)
				look, read := callers[i%2], callers[1-i%2]
				err := look.run(l, func() error {
					q, err := c.Peek(n)
					return is("Peek", q, err, record(n), nil)
				})()
				err = errors.Join(err, read.run(l, func() error {
					k, err := c.Read(p)
					return is("Read", p[:k], err, record(n), nil)
				})(), look.run(l, func() error {
					k, err := c.Read(p)
					return is("Read of the next", p[:k], err, record(1), nil)
				})())
				if err != nil {
					t.Fatalf("peeked in a %s, read in a %s: %v", look.name, read.name, err)
				}
			}
		})
	})
}

// Slices are one record, however many they are.
func TestRecordsVector(t *testing.T) {
	eachRecord(t, func(c *sock.Conn, peer unixPeer) error {
		for _, parts := range []int{1, 3, 20} {
			var bufs, into [][]byte
			for i := range parts {
				bufs = append(bufs, record(100+i))
				into = append(into, make([]byte, 100+i))
			}
			want := slices.Concat(bufs...)
			n, err := c.WriteV(bufs)
			if int(n) != len(want) || err != nil {
				return fmt.Errorf("WriteV of %d parts: %d, %v", parts, n, err)
			}
			p := make([]byte, 1<<17)
			k, err := peer.Read(p)
			if err := is("the peer's Read", p[:k], err, want, nil); err != nil {
				return err
			}
			peer.Write(append(want, "more"...))
			peer.Write([]byte("next"))
			n, err = c.ReadV(into)
			if err := is("ReadV", slices.Concat(into...)[:n], err, want, nil); err != nil {
				return err
			}
			b, err := c.Next()
			if err := is("the next", b.Bytes(), err, []byte("next"), nil); err != nil {
				return err
			}
			if n, err := c.WriteLease(b); n != 4 || err != nil {
				return fmt.Errorf("WriteLease: %d, %v", n, err)
			}
			k, err = peer.Read(p)
			if err := is("the lease", p[:k], err, []byte("next"), nil); err != nil {
				return err
			}
		}
		return nil
	})
}

// An empty record that a task has read is no end for a goroutine either.
func TestEmptyRecordIsNoEndForGoroutines(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		unixPair(t, cfg, "unixpacket", func(l *ringo.Loop, c *sock.Conn, peer unixPeer) {
			p := make([]byte, 16)
			if err := sendRecords(peer, 0); err != nil {
				t.Fatal(err)
			}
			if n, err := c.Read(p); n != 0 || err != io.EOF {
				t.Fatalf("a task's Read of an empty record: %d, %v", n, err)
			}
			offloaded(t, l, func() error {
				for _, n := range []int{4, 5} {
					if err := sendRecords(peer, n); err != nil {
						return err
					}
					k, err := c.Read(p)
					if err := is("a goroutine's Read", p[:k], err, record(n), nil); err != nil {
						return err
					}
				}
				return nil
			})
		})
	})
}

// What a reader gives at once is one record, as long as io.Copy has memory for it, whoever copies.
func TestRecordsCopyOfReader(t *testing.T) {
	gives, want := []int{1, 20_000, 32 << 10, 40_000}, []int{1, 20_000, 32 << 10, 32 << 10, 40_000 - 32<<10}
	socktest.EachDriver(t, func(t *testing.T, cfg ringo.Config) {
		byCallers(t, cfg, "unixpacket", func(c *sock.Conn, peer unixPeer) error {
			left := slices.Clone(gives)
			var got []int
			ended := make(chan error, 1)
			go func() {
				defer close(ended)
				p := make([]byte, 1<<17)
				for n, err := peer.Read(p); n > 0 && err == nil; n, err = peer.Read(p) {
					got = append(got, n)
				}
			}()
			n, err := io.Copy(c, readerFunc(func(p []byte) (int, error) {
				if len(left) == 0 {
					return 0, io.EOF
				}
				k := min(len(p), left[0])
				if left[0] -= k; left[0] == 0 {
					left = left[1:]
				}
				return k, nil
			}))
			err = errors.Join(err, c.CloseWrite(), waiter(c)(ended))
			if !slices.Equal(got, want) || int(n) != sum(gives) || err != nil {
				return fmt.Errorf("%v came of %d bytes, want %v: %v", got, n, want, err)
			}
			return nil
		})
	})
}

type readerFunc func(p []byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

// A copy goes on while the program holds as many leases as it may: it needs but one, for which no program waits.
func TestRecordsCopyBesideLeases(t *testing.T) {
	socktest.EachDriver(t, func(t *testing.T, cfg ringo.Config) {
		for _, network := range unixNetworks {
			t.Run(network, func(t *testing.T) {
				byCallers(t, cfg, network, func(c *sock.Conn, peer unixPeer) error {
					for {
						if _, err := peer.Write([]byte("x")); err != nil {
							return err
						}
						b, err := c.Next()
						if err != nil {
							if !errors.Is(err, sock.ErrLeases) {
								return err
							}
							break
						}
						defer b.Release()
					}
					_, err := peer.Write([]byte("more"))
					var got bytes.Buffer
					n, copied := c.WriteTo(io.MultiWriter(&got, writerFunc(func(p []byte) (int, error) {
						if got.Len() == len("xmore") {
							peer.CloseWrite()
						}
						return len(p), nil
					})))
					if err = errors.Join(err, copied); got.String() != "xmore" || int(n) != got.Len() || err != nil {
						return fmt.Errorf("WriteTo = %d, %q: %v", n, got.String(), err)
					}
					return nil
				})
			})
		}
	})
}
