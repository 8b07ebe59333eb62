//go:build linux

package sock_test

import (
	"bytes"
	"errors"
	"net"
	"syscall"
	"testing"
	"time"

	"ringo"
	"ringo/sock"
)

// Functions of the caller's receive and send, from a task and from a goroutine, and wait
// for datagrams by their connection.
func TestPacketRawConn(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		for _, caller := range []string{"task", "goroutine"} {
			t.Run(caller, func(t *testing.T) {
				onPacket(t, cfg, func(l *ringo.Loop, c *sock.PacketConn, peer *net.UDPConn) {
					run := func(f func()) { f() }
					if caller == "goroutine" {
						run = func(f func()) { onGoroutine(t, l, f) }
					}
					run(func() { exchangeRaw(t, c, peer) })
				})
			})
		}
	})
}

func exchangeRaw(t *testing.T, c *sock.PacketConn, peer *net.UDPConn) {
	raw, err := c.SyscallConn()
	if err != nil {
		t.Error(err)
		return
	}
	asked := make(chan bool, 1)
	go func() {
		<-asked // it has found nothing
		peer.Write([]byte("question"))
	}()
	p := make([]byte, 64)
	var n int
	var from syscall.Sockaddr
	err = raw.Read(func(fd uintptr) bool {
		var err error
		n, from, err = syscall.Recvfrom(int(fd), p, syscall.MSG_DONTWAIT)
		select {
		case asked <- true:
		default:
		}
		return !errors.Is(err, syscall.EAGAIN)
	})
	if err != nil || string(p[:n]) != "question" {
		t.Errorf("read %q, %v", p[:n], err)
		return
	}
	if err := raw.Write(func(fd uintptr) bool {
		return syscall.Sendto(int(fd), p[:n], syscall.MSG_DONTWAIT, from) != syscall.EAGAIN
	}); err != nil {
		t.Error(err)
	}
	peer.SetReadDeadline(time.Now().Add(patience))
	got := make([]byte, 64)
	if k, err := peer.Read(got); err != nil || !bytes.Equal(got[:k], p[:n]) {
		t.Errorf("the peer got %q, %v", got[:k], err)
	}
}

// A file of the socket is another way to its datagrams, and outlives it.
func TestPacketFile(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		onPacket(t, cfg, func(l *ringo.Loop, c *sock.PacketConn, peer *net.UDPConn) {
			f, err := c.File()
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			if flags, _, _ := syscall.Syscall(syscall.SYS_FCNTL, f.Fd(), syscall.F_GETFD,
				0); flags&syscall.FD_CLOEXEC == 0 {
				t.Error("the descriptor is not close-on-exec")
			}
			c.Close()
			if _, err := c.File(); !errors.Is(err, net.ErrClosed) {
				t.Errorf("File of a closed socket: %v", err)
			}
			peer.Write([]byte("late"))
			onGoroutine(t, l, func() {
				other, err := net.FilePacketConn(f)
				if err != nil {
					t.Error(err)
					return
				}
				defer other.Close()
				other.SetReadDeadline(time.Now().Add(patience))
				p := make([]byte, 16)
				if n, _, err := other.ReadFrom(p); err != nil || string(p[:n]) != "late" {
					t.Errorf("read %q, %v", p[:n], err)
				}
			})
		})
	})
}
