//go:build linux

package sock_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"syscall"
	"testing"
	"time"

	"ringo"
	"ringo/internal/test/patience"
	"ringo/internal/test/socktest"
	"ringo/internal/test/testmain"
	"ringo/sock"
)

// wantDescriptors fails the test unless there are as many as before, now or soon.
func wantDescriptors(t testing.TB, before int) {
	t.Helper()
	eventually(t, fmt.Sprintf("back to %d descriptors", before), func() bool { return descriptors(t, "") <= before })
}

func TestSendFiles(t *testing.T) {
	testmain.NeedDescriptors(t, 500)
	eachMessage(t, func(c *sock.Conn, peer unixPeer) error {
		w, r, err := passed()
		if err != nil {
			return err
		}
		defer r.Close()
		defer w.Close()
		flags := control(w, syscall.F_GETFL)
		if n, err := c.SendFiles([]byte("three"), w, w, w); n != 5 || err != nil {
			return fmt.Errorf("SendFiles: %d, %v", n, err)
		}
		if now := control(w, syscall.F_GETFL); now != flags {
			return fmt.Errorf("the file's flags were %#x and are %#x", flags, now)
		}
		p, oob := make([]byte, 10), make([]byte, 64)
		n, oobn, _, _, err := peer.(*net.UnixConn).ReadMsgUnix(p, oob)
		fds, ferr := rightsOf(oob[:oobn])
		if err != nil || ferr != nil || string(p[:n]) != "three" || len(fds) != 3 {
			return fmt.Errorf("the peer has %q, %v, %v, %v", p[:n], fds, err, ferr)
		}
		for _, fd := range fds {
			f := os.NewFile(uintptr(fd), "got")
			err = errors.Join(err, speaks(f, r), f.Close())
		}
		if n, err := c.SendFiles([]byte("none")); n != 4 || err != nil {
			return fmt.Errorf("SendFiles of none: %d, %v", n, err)
		}
		many := make([]*os.File, 254)
		for i := range many {
			many[i] = w
		}
		_, none := c.SendFiles(nil, w)
		_, over := c.SendFiles([]byte("x"), many...)
		closed, other, _ := passed()
		closed.Close()
		other.Close()
		_, gone := c.SendFiles([]byte("x"), w, closed)
		_, null := c.SendFiles([]byte("x"), nil)
		if none == nil || over == nil || !errors.Is(gone, os.ErrClosed) || !errors.Is(null, os.ErrInvalid) {
			return fmt.Errorf("without bytes: %v; 254 files: %v; a closed one: %v; nil: %v", none, over, gone, null)
		}
		if n, err := c.SendFiles([]byte("x"), many[:253]...); n != 1 || err != nil {
			return fmt.Errorf("253 files: %d, %v", n, err)
		}
		return err
	})
}

func TestRecvFiles(t *testing.T) {
	testmain.NeedDescriptors(t, 500)
	before := descriptors(t, "")
	eachMessage(t, func(c *sock.Conn, peer unixPeer) error {
		w, r, err := passed()
		if err != nil {
			return err
		}
		defer r.Close()
		defer w.Close()
		pass := func(text string, n int) error {
			fds := make([]int, n)
			for i := range fds {
				fds[i] = number(w)
			}
			_, _, err := peer.(*net.UnixConn).WriteMsgUnix([]byte(text), syscall.UnixRights(fds...), nil)
			return err
		}
		p := make([]byte, 100)
		for _, passed := range []int{0, 1, 2, 253} {
			for _, max := range []int{passed, 253, 1000} {
				if err := pass("text", passed); err != nil {
					return err
				}
				n, files, err := c.RecvFiles(p, max)
				if err != nil || string(p[:n]) != "text" || len(files) != passed {
					return fmt.Errorf("of %d, %d at most: %q, %v, %v", passed, max, p[:n], files, err)
				}
				for _, f := range files {
					if control(f, syscall.F_GETFD)&syscall.FD_CLOEXEC == 0 {
						return errors.New("a descriptor survives exec")
					}
					err = errors.Join(err, f.Close())
				}
				if err != nil {
					return err
				}
			}
		}
		for _, max := range []int{0, 1, 2, 19} {
			if err := pass("text", 20); err != nil {
				return err
			}
			n, files, err := c.RecvFiles(p, max)
			if err == nil || string(p[:n]) != "text" || files != nil {
				return fmt.Errorf("more than %d: %q, %v, %v", max, p[:n], files, err)
			}
		}
		_, _, err = c.RecvFiles(nil, 1)
		_, _, neg := c.RecvFiles(p, -1)
		if err == nil || neg == nil {
			return fmt.Errorf("RecvFiles into nothing: %v, of -1: %v", err, neg)
		}
		return nil
	})
	wantDescriptors(t, before)
}

// The socket's users may have asked for credentials, too, which come in front.
func TestRecvFilesBehindCredentials(t *testing.T) {
	before := descriptors(t, "")
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		onLoop(t, cfg, func(l *ringo.Loop) {
			lc := sock.ListenConfig{Control: func(_, _ string, c syscall.RawConn) (err error) {
				c.Control(func(fd uintptr) {
					err = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_PASSCRED, 1)
				})
				return err
			}}
			ln, err := lc.Listen(l, "unix", abstractName())
			if err != nil {
				t.Fatal(err)
			}
			defer ln.Close()
			d, err := sock.Dial(l, "unix", ln.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			defer d.Close()
			c, err := ln.AcceptConn()
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			for _, max := range []int{3, 2, 100} {
				if _, err := d.SendFiles([]byte("x"), os.Stdin, os.Stdin, os.Stdin); err != nil {
					t.Fatal(err)
				}
				n, files, err := c.RecvFiles(make([]byte, 4), max)
				if n != 1 || max >= 3 && (len(files) != 3 || err != nil) || max < 3 && (files != nil || err == nil) {
					t.Errorf("%d at most of 3: %d, %v, %v", max, n, files, err)
				}
				for _, f := range files {
					f.Close()
				}
			}
		})
	})
	wantDescriptors(t, before)
}

// All reads but RecvFiles and ReadMsgUnix leave what was passed to the kernel, which
// closes it, and so does whoever closes a connection.
func TestFilesNobodyTakes(t *testing.T) {
	eachMessage(t, func(c *sock.Conn, peer unixPeer) error {
		w, r, err := passed()
		if err != nil {
			return err
		}
		defer r.Close()
		before := descriptors(t, "")
		p := make([]byte, 10)
		for name, read := range map[string]func() error{
			"Read": func() error { _, err := c.Read(p); return err },
			"Next": func() error {
				b, err := c.Next()
				b.Release()
				return err
			},
			"Discard":            func() error { _, err := c.Discard(1); return err },
			"ReadMsgUnix":        func() error { _, _, _, _, err := c.ReadMsgUnix(p, nil); return err },
			"RecvFiles of none":  func() error { _, _, err := c.RecvFiles(p, 0); return wantErr(err) },
			"RecvFiles of fewer": func() error { _, _, err := c.RecvFiles(p, 9); return wantErr(err) },
			"ReadMsgUnix of some": func() error {
				_, _, _, _, err := c.ReadMsgUnix(p, make([]byte, syscall.CmsgSpace(0)))
				return err
			},
		} {
			for range 20 { // 200 descriptors
				fds := make([]int, 10)
				for i := range fds {
					fds[i] = number(w)
				}
				_, _, err := peer.(*net.UnixConn).WriteMsgUnix([]byte("x"), syscall.UnixRights(fds...), nil)
				if err != nil {
					return err
				}
				if err := read(); err != nil {
					return fmt.Errorf("%s: %w", name, err)
				}
			}
			// Others may open one now and then.
			if now := descriptors(t, ""); now > before+20 {
				return fmt.Errorf("%s: %d descriptors, %d before", name, now, before)
			}
		}
		// The kernel, too, has let go of all: the pipe ends with its last writer.
		for range 5 {
			peer.(*net.UnixConn).WriteMsgUnix([]byte("x"), syscall.UnixRights(number(w)), nil)
		}
		w.Close()
		c.Close()
		peer.Close()
		if n, err := r.Read(p); n != 0 || err != io.EOF {
			return fmt.Errorf("the pipe gave %d, %v, want its end", n, err)
		}
		return nil
	})
}

func wantErr(err error) error {
	if err == nil {
		return errors.New("no error")
	}
	return nil
}

// Served connections close what is passed to them as well, and go on.
func TestFilesFloodServed(t *testing.T) {
	before := descriptors(t, "")
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		onLoop(t, cfg, func(l *ringo.Loop) {
			ln := listenUnix(t, l, "unix", abstractName())
			l.Go(func() {
				sock.Serve(l, ln, &sock.Handler{Request: func(c *sock.Conn) error {
					_, err := c.Discard(c.Buffered())
					return err
				}})
			})
			peer := dialUnix(t, "unix", ln.Addr().String())
			offloaded(t, l, func() error {
				fds := make([]int, 100)
				for range 500 {
					var err error
					// Of who is not root as many may be under way as may be open.
					patience.Until(t, "room for descriptors under way", func() bool {
						_, _, err = peer.(*net.UnixConn).WriteMsgUnix([]byte("x"), syscall.UnixRights(fds...), nil)
						return !errors.Is(err, syscall.ETOOMANYREFS)
					})
					if err != nil {
						return err
					}
				}
				return nil
			})
			if now := descriptors(t, ""); now > before+50 {
				t.Errorf("%d descriptors in the flood, %d before", now, before)
			}
			peer.Close()
			ln.Close()
		})
	})
	wantDescriptors(t, before)
}

// Files go with the first bytes of a message that the socket has no room for, and the
// rest follows.
func TestSendFilesMuch(t *testing.T) {
	all := make([]byte, 3<<20)
	pattern(all, 0)
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		eachCallers(t, func(t *testing.T, reader, writer byEach) {
			ringoPair(t, cfg, "unix", func(l *ringo.Loop, c, d *sock.Conn) {
				w, r, err := passed()
				if err != nil {
					t.Fatal(err)
				}
				defer r.Close()
				defer w.Close()
				write := writer.run(l, func() error {
					n, err := d.SendFiles(all, w)
					if n != len(all) {
						return fmt.Errorf("%d bytes went out, %w", n, err)
					}
					return err
				})
				read := reader.run(l, func() error {
					got := make([]byte, len(all))
					n, files, err := c.RecvFiles(got[:1], 1)
					if n != 1 || len(files) != 1 || err != nil {
						return fmt.Errorf("the first byte: %d, %v, %v", n, files, err)
					}
					defer files[0].Close()
					if _, err := io.ReadFull(c, got[1:]); err != nil || !bytes.Equal(got, all) {
						return fmt.Errorf("the rest is different, or %v", err)
					}
					return speaks(files[0], r)
				})
				if err := errors.Join(read(), write()); err != nil {
					t.Error(err)
				}
			})
		})
	})
}

func init() { children["passes"] = passesChild }

// passesChild connects to the socket that it is told of, and passes a TCP listener;
// then it takes a connection back, on which it answers.
func passesChild() int {
	if err := passesChildRun(os.Getenv("RINGO_SOCK_PATH")); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

func passesChildRun(path string) error {
	return ringo.Run(context.Background(), &ringo.Config{Loops: 1}, func(l *ringo.Loop) error {
		c, err := sock.Dial(l, "unix", path)
		if err != nil {
			return err
		}
		defer c.Close()
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return err
		}
		f, err := ln.(*net.TCPListener).File()
		if err != nil {
			return err
		}
		if _, err := c.SendFiles([]byte("a listener"), f); err != nil {
			return err
		}
		f.Close()
		ln.Close()
		_, files, err := c.RecvFiles(make([]byte, 100), 1)
		if err != nil || len(files) != 1 {
			return fmt.Errorf("the connection: %v, %w", files, err)
		}
		defer files[0].Close()
		tcp, err := net.FileConn(files[0])
		if err != nil {
			return err
		}
		defer tcp.Close()
		_, err = tcp.Write([]byte("from the child"))
		return err
	})
}

// Sockets go from one process to another, and come back.
func TestFilesBetweenProcesses(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		onLoop(t, cfg, func(l *ringo.Loop) {
			path := socketPath(t)
			ln := listenUnix(t, l, "unix", path)
			defer ln.Close()
			child := startChild(t, "passes", "RINGO_SOCK_PATH="+path)
			c, err := ln.AcceptConn()
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			if pid, _, _, err := c.PeerCred(); pid != child.cmd.Process.Pid {
				t.Errorf("the peer is %d, %v, want %d", pid, err, child.cmd.Process.Pid)
			}
			p := make([]byte, 100)
			n, files, err := c.RecvFiles(p, 4)
			if err != nil || len(files) != 1 || string(p[:n]) != "a listener" {
				t.Fatalf("%q, %v, %v", p[:n], files, err)
			}
			offloaded(t, l, func() error {
				tcp, err := net.FileListener(files[0])
				files[0].Close()
				if err != nil {
					return err
				}
				defer tcp.Close()
				out := dial(t, tcp.Addr().String())
				defer out.Close()
				in, err := tcp.Accept()
				if err != nil {
					return err
				}
				defer in.Close()
				f, err := in.(*net.TCPConn).File()
				if err != nil {
					return err
				}
				defer f.Close()
				if _, err := c.SendFiles([]byte("a connection"), f); err != nil {
					return err
				}
				got := make([]byte, len("from the child"))
				if _, err := io.ReadFull(out, got); err != nil || string(got) != "from the child" {
					return fmt.Errorf("%q, %v", got, err)
				}
				return nil
			})
		})
	})
}

func init() { children["few"] = fewChild }

// fewChild may have few descriptors, and is passed more.
func fewChild() int {
	err := ringo.Run(context.Background(), &ringo.Config{Loops: 1, Driver: os.Getenv("RINGO_SOCK_DRIVER")},
		func(l *ringo.Loop) error {
			c, err := sock.Dial(l, "unix", os.Getenv("RINGO_SOCK_PATH"))
			if err != nil {
				return err
			}
			defer c.Close()
			before, err := os.ReadDir("/proc/self/fd")
			if err != nil {
				return err
			}
			limit := syscall.Rlimit{Cur: uint64(len(before)) + 8, Max: uint64(len(before)) + 8}
			if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
				return err
			}
			for range 5 {
				n, files, err := c.RecvFiles(make([]byte, 10), 200)
				if n != 1 || files != nil || err == nil {
					return fmt.Errorf("of too many: %d, %d files, %v", n, len(files), err)
				}
				if after, err := os.ReadDir("/proc/self/fd"); len(after) > len(before) || err != nil {
					return fmt.Errorf("%d descriptors, %d before, %v", len(after), len(before), err)
				}
			}
			_, files, err := c.RecvFiles(make([]byte, 10), 200)
			if len(files) != 1 || err != nil {
				return fmt.Errorf("of one: %v, %w", files, err)
			}
			files[0].Close()
			fmt.Println("done")
			return nil
		})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// A process that may not have what is passed to it keeps none of it, and goes on.
func TestRecvFilesAtTheLimit(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		path := socketPath(t)
		ln, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
		if err != nil {
			t.Fatal(err)
		}
		defer ln.Close()
		child := startChild(t, "few", "RINGO_SOCK_PATH="+path, "RINGO_SOCK_DRIVER="+cfg.Driver)
		c, err := ln.AcceptUnix()
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		for _, n := range []int{100, 100, 100, 100, 100, 1} {
			if _, _, err := c.WriteMsgUnix([]byte("x"), syscall.UnixRights(make([]int, n)...), nil); err != nil {
				t.Fatal(err)
			}
		}
		if got := child.line(); got != "done" {
			t.Errorf("the child says %q", got)
		}
	})
}

// What is left of bytes that came with files is not sent on a connection that is closed when the first of them have
// gone out, in the same turn and before who sends them goes on.
func TestSendFilesClosedInPart(t *testing.T) {
	chunk := make([]byte, 1<<20)
	null, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		unixPair(t, cfg, "unix", func(l *ringo.Loop, c *sock.Conn, peer unixPeer) {
			ln := listenUnix(t, l, "unix", abstractName())
			defer ln.Close()
			first := dialUnix(t, "unix", ln.Addr().String())
			defer first.Close()
			news, err := ln.AcceptConn()
			if err != nil {
				t.Fatal(err)
			}
			defer news.Close()
			raw, err := c.SyscallConn()
			if err != nil {
				t.Fatal(err)
			}
			raw.Write(func(fd uintptr) bool { // until there is no room
				for err == nil {
					_, err = syscall.Write(int(fd), chunk)
				}
				return true
			})
			var n int
			sends := l.Go(func() { n, err = c.SendFiles(chunk, null) })
			l.Go(func() { // what both wait for comes before the loop looks
				l.Sleep(time.Millisecond)
				first.Write([]byte{'x'})
				peer.Read(chunk)
			})
			news.Read(make([]byte, 1))
			c.CloseSoon()
			if sends.Wait(); n == len(chunk) || !errors.Is(err, net.ErrClosed) {
				t.Errorf("SendFiles = %d, %v", n, err)
			}
		})
	})
}

// Reads of a Unix stream receive what they are asked for and no more, also behind large ones: what follows may come
// with files.
func TestFilesBehindOtherReads(t *testing.T) {
	body := make([]byte, 64<<10)
	reads := map[string]func(c *sock.Conn, p []byte) error{
		"Read":  func(c *sock.Conn, p []byte) error { return second(io.ReadFull(c, p)) },
		"ReadV": func(c *sock.Conn, p []byte) error { return second(c.ReadV([][]byte{p[:1], p[1:]})) },
		"Discard": func(c *sock.Conn, p []byte) error {
			if n, err := c.Discard(len(p)); n != len(p) {
				return fmt.Errorf("Discard: %d, %v", n, err)
			}
			return nil
		},
	}
	socktest.EachDriver(t, func(t *testing.T, cfg ringo.Config) {
		for name, read := range reads {
			for _, large := range []string{"Read", "Discard"} {
				t.Run(name+" behind a large "+large, func(t *testing.T) {
					byCallers(t, cfg, "unix", func(c *sock.Conn, peer unixPeer) error {
						w, r, err := passed()
						if err != nil {
							return err
						}
						defer r.Close()
						defer w.Close()
						_, err = peer.Write(body)
						err = errors.Join(err, second(peer.Write([]byte("head"))))
						rights := syscall.UnixRights(number(w))
						_, _, passes := peer.(*net.UnixConn).WriteMsgUnix([]byte("!"), rights, nil)
						p := make([]byte, 4)
						err = errors.Join(err, passes, reads[large](c, body), read(c, p))
						if err != nil {
							return err
						}
						n, files, err := c.RecvFiles(p, 1)
						if n != 1 || p[0] != '!' || len(files) != 1 || err != nil {
							return fmt.Errorf("%d bytes, %q first, and %d files came: %v", n, p[0], len(files), err)
						}
						defer files[0].Close()
						return speaks(files[0], r)
					})
				})
			}
		}
	})
}
