//go:build linux

package sock_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"ringo"
	"ringo/internal/test/patience"
	"ringo/sock"
)

// lastWords are how a connection may have ended when it is adopted, ours and then its peer.
var lastWords = []struct {
	name string
	end  func(t *testing.T, ours, peer net.Conn)
	tcp  bool // only there
	want error
}{
	{"the peer's side first", func(t *testing.T, ours, peer net.Conn) {
		closeWrite(t, peer)
		closeWrite(t, ours)
	}, false, io.EOF},
	{"our side first", func(t *testing.T, ours, peer net.Conn) {
		closeWrite(t, ours)
		closeWrite(t, peer)
	}, false, io.EOF},
	{"the peer is gone", func(t *testing.T, ours, peer net.Conn) {
		closeWrite(t, ours)
		peer.Close()
	}, false, io.EOF},
	{"a reset", func(t *testing.T, _, peer net.Conn) { reset(peer.(*net.TCPConn)) }, true, syscall.ECONNRESET},
}

func closeWrite(t *testing.T, c net.Conn) {
	t.Helper()
	if err := c.(interface{ CloseWrite() error }).CloseWrite(); err != nil {
		t.Error(err)
	}
}

// peerless waits until the kernel knows no peer of a TCP connection any more.
func peerless(t *testing.T, c syscall.Conn) {
	t.Helper()
	raw, err := c.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "the connection has ended", func() (ended bool) {
		raw.Control(func(fd uintptr) {
			_, err := syscall.Getpeername(int(fd))
			ended = err == syscall.ENOTCONN
		})
		return ended
	})
}

// A connection that has ended is adopted with all that is still unread in it.
func TestAdoptEnded(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		for _, network := range []string{"tcp", "unix", "unixpacket"} {
			for _, ending := range lastWords {
				for _, sent := range []string{"", "the rest"} {
					for _, as := range []string{"conn", "file"} {
						if ending.tcp && network != "tcp" {
							continue
						}
						name := fmt.Sprintf("%s/%s/%q unread/%s", network, ending.name, sent, as)
						t.Run(name, func(t *testing.T) {
							onLoop(t, cfg, func(l *ringo.Loop) {
								a, b := netPair[net.Conn](t, network)
								defer b.Close()
								if sent != "" {
									if _, err := io.WriteString(b, sent); err != nil {
										t.Fatal(err)
									}
								}
								ending.end(t, a, b)
								if network == "tcp" {
									peerless(t, a.(syscall.Conn))
								}
								var s io.Closer = a
								if as == "file" {
									s = asFile(t, a, false)
								}
								c, err := sock.Adopt[*sock.Conn](l, s, nil)
								if err != nil {
									t.Fatal(err)
								}
								defer c.Close()
								wantRest(t, c, sent, ending.want)
							})
						})
					}
				}
			}
		}
	})
}

// wantRest reads a connection's rest, and its end, which is one of those.
func wantRest(t *testing.T, c net.Conn, rest string, ends ...error) {
	t.Helper()
	got := make([]byte, len(rest))
	if n, err := io.ReadFull(c, got); string(got) != rest || err != nil {
		t.Errorf("read %q, %v; want %q", got[:n], err, rest)
	}
	n, err := c.Read(make([]byte, 10))
	if n != 0 || !slices.ContainsFunc(ends, func(end error) bool { return errors.Is(err, end) }) {
		t.Errorf("behind it: %d, %v; want %v", n, err, ends)
	}
}

// A connection that has ended goes out of Ringo and back in, as across a change of the process, with all its bytes.
func TestDetachAndAdoptEnded(t *testing.T) {
	for _, ending := range lastWords {
		t.Run(ending.name, func(t *testing.T) {
			eachCaller(t, func(t *testing.T, c *sock.Conn, peer tcpPeer, start starter) {
				send(t, peer, "first and the rest")
				start.run(func() {
					wantRead(t, c, 6, "first ")
					ending.end(t, c, peer)
					peerless(t, c)
					l := c.Loop()
					fd, unread, err := c.Detach()
					if err != nil {
						t.Errorf("Detach: %v", err)
						return
					}
					ac := &sock.AdoptConfig{Unread: unread}
					back, err := sock.Adopt[*sock.Conn](l, os.NewFile(uintptr(fd), "detached"), ac)
					if err != nil {
						t.Errorf("Adopt: %v", err)
						return
					}
					defer back.Close()
					// The kernel says a reset once, and the loop may have heard it with the bytes.
					wantRest(t, back, "and the rest", ending.want, io.EOF)
				})
			})
		})
	}
}

// DetachConn and DetachTCP give all the bytes of a connection that has ended, and why it has: the one by what it gives,
// the other by its own error, where package net's connection would not know it.
func TestDetachEnded(t *testing.T) {
	for _, ending := range lastWords {
		for _, how := range []string{"DetachConn", "DetachTCP"} {
			t.Run(ending.name+"/"+how, func(t *testing.T) {
				eachCaller(t, func(t *testing.T, c *sock.Conn, peer tcpPeer, start starter) {
					before := descriptors(t, "socket:")
					send(t, peer, "first and the rest")
					start.run(func() {
						wantRead(t, c, 6, "first ")
						ending.end(t, c, peer)
						peerless(t, c)
						if p, err := c.Peek(100); string(p) != "and the rest" {
							t.Errorf("peeked %q, %v", p, err)
						}
						conn, got, err := detachments[how](c)
						if how == "DetachTCP" && string(got) != "and the rest" {
							t.Errorf("unread is %q", got)
						}
						if err == nil {
							defer conn.Close()
							var rest []byte
							if rest, err = io.ReadAll(conn); err == nil {
								err = io.EOF
							}
							got = append(got, rest...)
						}
						if string(got) != "and the rest" || !errors.Is(err, ending.want) {
							t.Errorf("read %q, and behind it %v, want %v", got, err, ending.want)
						}
					})
					peer.Close()
					if n := descriptors(t, "socket:"); n != before-2 {
						t.Errorf("%d sockets, %d before two were closed", n, before)
					}
				})
			})
		}
	}
}

// pingSocket makes a socket of pings, which a host allows to groups of users: if not to this one, in a network of the
// test's own.
func pingSocket(t *testing.T, family int) *os.File {
	t.Helper()
	protocol := unix.IPPROTO_ICMP
	if family == unix.AF_INET6 {
		protocol = unix.IPPROTO_ICMPV6
	}
	open := func() (int, error) {
		return unix.Socket(family, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, protocol)
	}
	fd, err := open()
	if errors.Is(err, unix.EACCES) {
		inOwnNetwork(t, func() error {
			all := []byte("0 2147483647")
			if err := os.WriteFile("/proc/sys/net/ipv4/ping_group_range", all, 0); err != nil {
				return err
			}
			fd, err = open()
			return err
		})
	}
	if errors.Is(err, unix.EAFNOSUPPORT) {
		t.Skip(err)
	}
	return fileOf(t, "ping")(fd, err)
}

// echoRequest is an echo request of 16 bytes, or what its answer has in common with it.
func echoRequest(family int, seq uint16) []byte {
	kind := byte(8)
	if family == unix.AF_INET6 {
		kind = 128
	}
	return append(binary.BigEndian.AppendUint16([]byte{kind, 0, 0, 0, 0, 0}, seq), "a ping. "...)
}

// A socket of pings is one of datagrams, whose addresses have no ports.
func TestAdoptPing(t *testing.T) {
	for family, host := range map[int]string{unix.AF_INET: "127.0.0.1", unix.AF_INET6: "::1"} {
		for _, connected := range []bool{false, true} {
			for _, from := range []string{"task", "goroutine"} {
				t.Run(fmt.Sprintf("%s/connected=%v/%s", host, connected, from), func(t *testing.T) {
					eachDriver(t, func(t *testing.T, cfg ringo.Config) {
						f, to := pingSocket(t, family), netip.AddrPortFrom(netip.MustParseAddr(host), 0)
						if connected {
							if err := unix.Connect(number(f), sockaddrOf(to.Addr())); err != nil {
								t.Skip(err)
							}
						}
						onLoop(t, cfg, func(l *ringo.Loop) {
							run := func(f func()) { f() }
							if from == "goroutine" {
								run = func(f func()) { onGoroutine(t, l, f) }
							}
							run(func() {
								c, err := sock.Adopt[*sock.PacketConn](l, f, nil)
								if err != nil {
									t.Error(err)
									return
								}
								defer c.Close()
								pings(t, c, family, to, connected)
							})
						})
					})
				})
			}
		}
	}
}

func sockaddrOf(a netip.Addr) unix.Sockaddr {
	if a.Is4() {
		return &unix.SockaddrInet4{Addr: a.As4()}
	}
	return &unix.SockaddrInet6{Addr: a.As16()}
}

// pings sends requests one by one and as segments, and wants the answers.
func pings(t *testing.T, c *sock.PacketConn, family int, to netip.AddrPort, connected bool) {
	want := func(seq uint16) {
		t.Helper()
		b := make([]byte, 100)
		n, from, err := c.ReadFromUDPAddrPort(b)
		answer, request := b[:n], echoRequest(family, seq)
		if err != nil || n != len(request) || answer[0] == request[0] || !bytes.Equal(answer[6:], request[6:]) ||
			from != to {
			t.Errorf("answer %d is %q from %v, %v", seq, answer, from, err)
		}
	}
	var err error
	if connected {
		_, err = c.Write(echoRequest(family, 1))
	} else {
		_, err = c.WriteToUDPAddrPort(echoRequest(family, 1), to)
	}
	if err != nil {
		t.Error(err)
		return
	}
	want(1)
	n, err := c.WriteSegments(append(echoRequest(family, 2), echoRequest(family, 3)...), 16, to)
	if n != 32 || err != nil || c.GSO() {
		t.Errorf("WriteSegments: %d, %v, GSO %v", n, err, c.GSO())
		return
	}
	want(2)
	want(3)
}

// activatedChild is a service that echoes on all that it was started with, in the
// order of its names, one peer or datagram each, and then ends.
func activatedChild() int {
	null, err := os.Open(os.DevNull) // takes the first number that was not passed, if the runtime has not
	if err != nil {
		fmt.Println("error:", err)
		return 0
	}
	defer null.Close()
	files, err := sock.Activated()
	if err != nil {
		fmt.Println("error:", err)
		return 0
	}
	var names []string
	for _, f := range files {
		names = append(names, f.Name())
		if flags, _, _ := syscall.Syscall(syscall.SYS_FCNTL, f.Fd(), syscall.F_GETFD,
			0); flags&syscall.FD_CLOEXEC == 0 {
			fmt.Println("error: children would get", f.Name())
		}
	}
	fmt.Printf("names %q\n", names)
	again, err := sock.Activated()
	fmt.Printf("left %q%q%q, again %d %v\n", os.Getenv("LISTEN_PID"), os.Getenv("LISTEN_FDS"),
		os.Getenv("LISTEN_FDNAMES"), len(again), err)
	cfg := &ringo.Config{Driver: os.Getenv("TEST_DRIVER"), Loops: 1}
	err = ringo.Run(context.Background(), cfg, func(l *ringo.Loop) error {
		var errs error
		for _, f := range files {
			errs = errors.Join(errs, echoOn(l, f))
		}
		return errs
	})
	fmt.Println("done", err)
	return 0
}

// echoOn serves one peer of a socket, by what its name begins with.
func echoOn(l *ringo.Loop, f *os.File) error {
	var own *sock.AdoptConfig
	kind, rest, _ := strings.Cut(f.Name(), "-")
	if rest == "exclusive" {
		own = &sock.AdoptConfig{Exclusive: true}
	}
	switch kind {
	case "set":
		set, err := sock.AdoptSet(f, own)
		if err != nil {
			return err
		}
		defer set.Close()
		ln, err := set.Listen(l)
		if err != nil {
			return err
		}
		return echoOnce(ln)
	case "listener":
		ln, err := sock.Adopt[*sock.Listener](l, f, own)
		if err != nil {
			return err
		}
		return echoOnce(ln)
	case "conn":
		c, err := sock.Adopt[*sock.Conn](l, f, own)
		if err != nil {
			return err
		}
		defer c.Close()
		_, err = io.Copy(c, c)
		return err
	case "udp":
		c, err := sock.Adopt[*sock.PacketConn](l, f, own)
		if err != nil {
			return err
		}
		return echoPacket(c)
	case "unixgram":
		c, err := sock.Adopt[*sock.UnixPacketConn](l, f, own)
		if err != nil {
			return err
		}
		return echoPacket(c)
	}
	flags, _, _ := syscall.Syscall(syscall.SYS_FCNTL, f.Fd(), syscall.F_GETFL, 0)
	if flags&syscall.O_NONBLOCK != 0 {
		return fmt.Errorf("%s is in non-blocking mode", f.Name())
	}
	return f.Close()
}

func echoOnce(ln *sock.Listener) error {
	defer ln.Close()
	c, err := ln.AcceptConn()
	if err != nil {
		return err
	}
	defer c.Close()
	_, err = io.Copy(c, c)
	return err
}

func echoPacket(c net.PacketConn) error {
	defer c.Close()
	p := make([]byte, 100)
	n, from, err := c.ReadFrom(p)
	if err == nil {
		_, err = c.WriteTo(p[:n], from)
	}
	return err
}

func init() {
	children["activated"] = activatedChild
	children["to be activated"] = func() int {
		pid := os.Getenv("PID")
		if pid == "" {
			pid = strconv.Itoa(os.Getpid())
		}
		os.Setenv("LISTEN_PID", pid)
		os.Setenv(childEnv, "activated")
		fmt.Println("error:", syscall.Exec("/proc/self/exe", os.Args, os.Environ()))
		return 1
	}
}

// startActivated starts the child as systemd does, which knows its number before it
// runs the program.
func startActivated(t *testing.T, files []*os.File, env ...string) *child {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for fd := range 100 { // the child must not have what these tests were given, as by a profiler
		syscall.CloseOnExec(max(fd, 3))
	}
	cmd := exec.Command(self)
	cmd.ExtraFiles = files
	return startCommand(t, cmd, "to be activated", env...)
}

func TestActivated(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		dir := t.TempDir()
		var files []*os.File
		var names []string
		give := func(name string, s io.Closer) { // in blocking mode, as systemd does
			files, names = append(files, asFile(t, s, true)), append(names, name)
		}
		tcp, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		give("listener-exclusive", tcp)
		more, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		give("set-tcp", more)
		unixName := filepath.Join(dir, "stream")
		unix, err := net.Listen("unix", unixName)
		if err != nil {
			t.Fatal(err)
		}
		give("listener-unix", unix)
		udp, err := net.ListenPacket("udp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		give("udp", udp)
		gramName := filepath.Join(dir, "gram")
		gram, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: gramName, Net: "unixgram"})
		if err != nil {
			t.Fatal(err)
		}
		give("unixgram", gram)
		accepted, peer := netPair[net.Conn](t, "tcp")
		defer peer.Close()
		give("conn", accepted)
		r, w, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		w.Close()
		r.Fd() // in blocking mode from now on
		files, names = append(files, r), append(names, "pipe")

		c := startActivated(t, files, "TEST_DRIVER="+cfg.Driver, fmt.Sprint("LISTEN_FDS=", len(files)),
			"LISTEN_FDNAMES="+strings.Join(names, ":"))
		for _, f := range files {
			f.Close()
		}
		if got, want := c.line(), fmt.Sprintf("names %q", names); got != want {
			t.Errorf("%s, want %s", got, want)
		}
		if got, want := c.line(), `left """""", again 0 <nil>`; got != want {
			t.Errorf("%s, want %s", got, want)
		}
		ask := func(what string, peer net.Conn, err error) {
			t.Helper()
			if err != nil {
				t.Fatal(err)
			}
			defer peer.Close()
			peer.SetDeadline(patience.Deadline())
			p := make([]byte, 100)
			peer.Write([]byte(what))
			if n, err := peer.Read(p); string(p[:n]) != what || err != nil {
				t.Errorf("%s: the peer read %q, %v", what, p[:n], err)
			}
		}
		for i, addr := range []net.Addr{tcp.Addr(), more.Addr(), unix.Addr(), udp.LocalAddr()} {
			conn, err := net.Dial(addr.Network(), addr.String())
			ask(names[i], conn, err)
		}
		from, err := net.DialUnix("unixgram", &net.UnixAddr{Name: filepath.Join(dir, "peer"), Net: "unixgram"},
			&net.UnixAddr{Name: gramName, Net: "unixgram"})
		ask("unixgram", from, err)
		ask("conn", peer, nil)
		if got := c.line(); got != "done <nil>" {
			t.Error(got)
		}
	})
}

// What is not meant for this process, or is wrong.
func TestActivatedOtherwise(t *testing.T) {
	null, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	for _, c := range []struct {
		name, want string
		env        []string
	}{
		{"nothing", "names []", nil},
		{"another process", "names []", []string{"PID=1", "LISTEN_FDS=1"}},
		{"no names", `names ["LISTEN_FD_3"]`, []string{"LISTEN_FDS=1"}},
		{"an empty list of names", `names ["LISTEN_FD_3"]`, []string{"LISTEN_FDS=1", "LISTEN_FDNAMES="}},
		{"too few names", "error: sock: activation: LISTEN_FDNAMES", []string{"LISTEN_FDS=1", "LISTEN_FDNAMES=a:b"}},
		{"no number", "error: sock: activation: LISTEN_FDS", []string{"LISTEN_FDS=x"}},
		{"too large a number", "error: sock: activation: LISTEN_FDS", []string{"LISTEN_FDS=99999999"}},
		{"not open", "error: sock: activation: descriptor ", []string{"LISTEN_FDS=501"}},
		{"one too many", "error: sock: activation: descriptor 4 of LISTEN_FDS=2 was not", []string{"LISTEN_FDS=2"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := startActivated(t, []*os.File{null}, c.env...).line(); !strings.HasPrefix(got, c.want) {
				t.Errorf("%s, want %s", got, c.want)
			}
		})
	}
}

// movedOn moves a connection to the other of two loops.
func movedOn(t *testing.T, c *sock.Conn) *sock.Conn {
	t.Helper()
	moved, err := c.MoveTo(otherLoop(c.Loop()))
	if err != nil {
		t.Fatal(err)
	}
	return moved
}

// What the old loop has learned of the stream's end the new one knows: the kernel says
// a reset once, and gives what comes after CloseRead.
func TestMoveToCarriesTheEnd(t *testing.T) {
	for _, e := range []struct {
		name   string
		before func(t *testing.T, c *sock.Conn, peer tcpPeer)
		unread string
		want   error
	}{
		{"reset", func(t *testing.T, c *sock.Conn, peer tcpPeer) {
			send(t, peer, "abc")
			reset(peer)
			if p, err := c.Peek(4); string(p) != "abc" || !errors.Is(err, syscall.ECONNRESET) {
				t.Errorf("Peek: %q, %v", p, err)
			}
		}, "abc", syscall.ECONNRESET},
		{"end", func(t *testing.T, c *sock.Conn, peer tcpPeer) {
			if err := c.CloseRead(); err != nil {
				t.Error(err)
			}
			wantEOF(t, c)
			send(t, peer, "late")
		}, "", io.EOF},
	} {
		t.Run(e.name, func(t *testing.T) {
			eachCaller(t, func(t *testing.T, c *sock.Conn, peer tcpPeer, start starter) {
				start.run(func() {
					e.before(t, c, peer)
					moved := movedOn(t, c)
					defer moved.Close()
					if n := moved.Buffered(); n != len(e.unread) {
						t.Errorf("%d bytes unread, want %d", n, len(e.unread))
					}
					if e.unread != "" {
						wantRead(t, moved, 10, e.unread)
					}
					for range 2 {
						n, err := moved.Read(make([]byte, 10))
						if n != 0 || !errors.Is(err, e.want) {
							t.Errorf("Read: %d, %v; want %v", n, err, e.want)
						}
					}
				})
			})
		})
	}
}

// What is written without a copy is so on the new loop, too, if that can.
func TestMoveToCarriesZeroCopy(t *testing.T) {
	eachCaller(t, func(t *testing.T, c *sock.Conn, peer tcpPeer, start starter) {
		err := c.SetZeroCopy(10_000)
		if err != nil && !errors.Is(err, errors.ErrUnsupported) {
			t.Fatal(err)
		}
		start.run(func() {
			want := c.ZeroCopy()
			if (want == 10_000) != (err == nil) {
				t.Errorf("from %d bytes on", want)
			}
			moved := movedOn(t, c)
			defer moved.Close()
			if got := moved.ZeroCopy(); got != want {
				t.Errorf("moved: from %d bytes on, was %d", got, want)
			}
		})
	})
}

// A connection whose Close may wait does so beside its new loop, too.
func TestMoveToCarriesLinger(t *testing.T) {
	t.Parallel()
	eachCaller(t, func(t *testing.T, c *sock.Conn, peer tcpPeer, start starter) {
		var moved *sock.Conn
		total := 0
		start.run(func() {
			total = fill(t, c.Loop(), c)
			if err := c.SetLinger(int(patience.Max / 2 / time.Second)); err != nil {
				t.Error(err)
			}
			moved = movedOn(t, c)
		})
		if moved == nil {
			return
		}
		there := moved.Loop()
		closed := make(chan bool)
		there.Go(func() {
			there.Go(func() { moved.Close(); close(closed) })
			for range 3 {
				others(there)
			}
		}).Wait()
		select {
		case <-closed:
			t.Error("the loop has waited for the peer, or Close has not")
		default:
		}
		n, err := io.Copy(io.Discard, peer)
		if <-closed; n != int64(total) || err != nil {
			t.Errorf("the peer read %d bytes of %d, %v", n, total, err)
		}
	})
}

// Who reads what DetachConn gave while somebody has the unread bytes at a sink waits for what is left of them, as long
// as its deadline and Close let it.
func TestDetachedReaderWaits(t *testing.T) {
	type reader struct {
		conn  net.Conn
		first chan bool // the sink fails when something is sent, and panics when it is closed
	}
	const unread = "unread"
	endings := map[string]struct {
		do   func(r reader) error
		want string // what the reader reads
		err  error
	}{
		"Close": {func(r reader) error { return r.conn.Close() }, "", net.ErrClosed},
		"a deadline that is past": {func(r reader) error {
			return r.conn.SetReadDeadline(longAgo)
		}, "", os.ErrDeadlineExceeded},
		"a deadline ahead": {func(r reader) error {
			return r.conn.SetDeadline(time.Now().Add(time.Millisecond))
		}, "", os.ErrDeadlineExceeded},
		"the sink fails":  {func(r reader) error { r.first <- true; return nil }, unread[2:], nil},
		"the sink panics": {func(r reader) error { close(r.first); return nil }, unread, nil},
	}
	for name, ending := range endings {
		for _, how := range []string{"Read", "WriteTo"} {
			if how == "WriteTo" && ending.err == nil {
				continue // it has no end
			}
			t.Run(name+"/"+how, func(t *testing.T) {
				unixPair(t, ringo.Config{}, "unix", func(l *ringo.Loop, c *sock.Conn, peer unixPeer) {
					offloaded(t, l, func() error { _, err := peer.Write([]byte(unread)); return err })
					if p, err := c.Peek(len(unread)); err != nil {
						t.Fatalf("%q, %v", p, err)
					}
					conn, err := c.DetachConn()
					if err != nil {
						t.Fatal(err)
					}
					offloaded(t, l, func() error {
						defer conn.Close()
						r := reader{conn, make(chan bool)}
						entered, ended := make(chan bool), make(chan bool)
						goOn := sync.OnceFunc(func() { close(r.first) })
						go func() {
							defer close(ended)
							defer func() { recover() }()
							conn.(io.WriterTo).WriteTo(writerFunc(func(p []byte) (int, error) {
								close(entered)
								if _, ok := <-r.first; !ok {
									panic("the sink's")
								}
								return 2, errSink
							}))
						}()
						<-entered
						type result struct {
							p   string
							err error
						}
						got := make(chan result, 1)
						go func() {
							if how == "WriteTo" {
								_, err := conn.(io.WriterTo).WriteTo(io.Discard)
								got <- result{"", err}
								return
							}
							p := make([]byte, 100)
							n, err := conn.Read(p)
							got <- result{string(p[:n]), err}
						}()
						if err := ending.do(r); err != nil {
							t.Error(err)
						}
						if res := <-got; res.p != ending.want || !errors.Is(res.err, ending.err) {
							t.Errorf("%q, %v, want %q, %v", res.p, res.err, ending.want, ending.err)
						}
						if ending.err != nil {
							goOn()
						}
						<-ended
						return nil
					})
				})
			})
		}
	}
}
