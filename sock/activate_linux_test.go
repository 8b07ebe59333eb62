//go:build linux

package sock_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"ringo"
	"ringo/sock"
)

func init() { children["activated"] = activatedChild }

// activatedChild is a service that echoes on all that it was started with, in the
// order of its names, one peer or datagram each, and then ends.
func activatedChild() int {
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
	own := &sock.AdoptConfig{Exclusive: true}
	switch kind, _, _ := strings.Cut(f.Name(), "-"); kind {
	case "listener":
		ln, err := own.AdoptListener(l, f)
		if err != nil {
			return err
		}
		defer ln.Close()
		c, err := ln.AcceptConn()
		if err != nil {
			return err
		}
		defer c.Close()
		_, err = io.Copy(c, c)
		return err
	case "conn":
		c, err := own.Adopt(l, f)
		if err != nil {
			return err
		}
		defer c.Close()
		_, err = io.Copy(c, c)
		return err
	case "udp":
		c, err := own.AdoptPacket(l, f)
		if err != nil {
			return err
		}
		return echoPacket(c)
	case "unixgram":
		c, err := own.AdoptUnixgram(l, f)
		if err != nil {
			return err
		}
		return echoPacket(c)
	}
	return f.Close()
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

// startActivated starts the child as systemd does, which knows its number before it
// runs the program.
func startActivated(t *testing.T, files []*os.File, env ...string) *child {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	c := &child{t: t, cmd: exec.Command("sh", "-c", `LISTEN_PID=${PID:-$$} exec "$0"`, self)}
	c.cmd.Env = append(append(os.Environ(), childEnv+"=activated"), env...)
	c.cmd.ExtraFiles = files
	c.cmd.Stderr = os.Stderr
	out, err := c.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	c.out = bufio.NewReader(out)
	if c.in, err = c.cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	if err := c.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.end)
	return c
}

func TestActivated(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		dir := t.TempDir()
		var files []*os.File
		var names []string
		give := func(name string, s interface{ File() (*os.File, error) }) {
			f, err := s.File()
			if err != nil {
				t.Fatal(err)
			}
			if err := syscall.SetNonblock(int(f.Fd()), false); err != nil { // as systemd does
				t.Fatal(err)
			}
			s.(io.Closer).Close()
			files, names = append(files, f), append(names, name)
		}
		tcp, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		give("listener-tcp", tcp.(*net.TCPListener))
		unixName := filepath.Join(dir, "stream")
		unix, err := net.Listen("unix", unixName)
		if err != nil {
			t.Fatal(err)
		}
		unix.(*net.UnixListener).SetUnlinkOnClose(false)
		give("listener-unix", unix.(*net.UnixListener))
		udp, err := net.ListenPacket("udp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		give("udp", udp.(*net.UDPConn))
		gramName := filepath.Join(dir, "gram")
		gram, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: gramName, Net: "unixgram"})
		if err != nil {
			t.Fatal(err)
		}
		give("unixgram", gram)
		accepted, peer := strangers(t, "tcp")
		defer peer.Close()
		give("conn", accepted.(*net.TCPConn))

		c := startActivated(t, files, "TEST_DRIVER="+cfg.Driver, "LISTEN_FDS=5",
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
			peer.SetDeadline(time.Now().Add(patience))
			p := make([]byte, 100)
			peer.Write([]byte(what))
			if n, err := peer.Read(p); string(p[:n]) != what || err != nil {
				t.Errorf("%s: the peer read %q, %v", what, p[:n], err)
			}
		}
		for i, addr := range []net.Addr{tcp.Addr(), unix.Addr(), udp.LocalAddr()} {
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
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := startActivated(t, []*os.File{null}, c.env...).line(); !strings.HasPrefix(got, c.want) {
				t.Errorf("%s, want %s", got, c.want)
			}
		})
	}
}
