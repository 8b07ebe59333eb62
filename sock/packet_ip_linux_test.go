//go:build linux

package sock_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"ringo"
	"ringo/internal/test/patience"
	"ringo/internal/test/socktest"
	"ringo/sock"
)

// ipMethods are what both kinds of raw sockets have.
type ipMethods interface {
	net.Conn
	net.PacketConn
	syscall.Conn
	File() (*os.File, error)
	ReadFromIP(b []byte) (int, *net.IPAddr, error)
	ReadMsgIP(b, oob []byte) (n, oobn, flags int, addr *net.IPAddr, err error)
	SetReadBuffer(bytes int) error
	SetWriteBuffer(bytes int) error
	WriteMsgIP(b, oob []byte, addr *net.IPAddr) (n, oobn int, err error)
	WriteToIP(b []byte, addr *net.IPAddr) (int, error)
}

var _, _ ipMethods = (*net.IPConn)(nil), (*sock.IPConn)(nil)

// protocolForTests is one of those that RFC 3692 leaves to experiments.
const protocolForTests = 253

// rawIP makes a raw socket of package net.
func rawIP(t *testing.T, address string) *net.IPConn {
	t.Helper()
	c, err := net.ListenPacket(fmt.Sprintf("ip:%d", protocolForTests), address)
	for _, without := range []error{os.ErrPermission, syscall.EAFNOSUPPORT, syscall.EADDRNOTAVAIL} {
		if errors.Is(err, without) {
			t.Skip(err)
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	return c.(*net.IPConn)
}

// ipCalls is a program on raw sockets, and what it has seen. Each socket gets what is sent to its address, its own
// datagrams as well.
func ipCalls(c ipMethods, self *net.IPAddr) string {
	var seen strings.Builder
	see := func(what string, values ...any) {
		fmt.Fprintf(&seen, "%s:", what)
		for _, v := range values {
			if err, ok := v.(error); ok {
				v = kinds(err)
			}
			fmt.Fprintf(&seen, " %v", v)
		}
		seen.WriteByte('\n')
	}
	body := func(b []byte) []byte { // the header of IPv4 has a number that differs
		if len(b) >= 20 && b[0] == 0x45 && binary.BigEndian.Uint16(b[2:]) == uint16(len(b)) {
			return append([]byte("header "), b[20:]...)
		}
		return b
	}
	c.SetDeadline(patience.Deadline())
	see("addresses", c.LocalAddr().Network(), c.LocalAddr(), c.RemoteAddr())
	b, oob := make([]byte, 100), make([]byte, 100)
	n, err := c.WriteToIP([]byte("one"), self)
	see("WriteToIP", n, err)
	n, from, err := c.ReadFromIP(b)
	see("ReadFromIP", fmt.Sprintf("%q", b[:n]), from, err)
	n, err = c.WriteTo([]byte("two"), self)
	see("WriteTo", n, err)
	n, a, err := c.ReadFrom(b)
	see("ReadFrom", fmt.Sprintf("%q", b[:n]), a, err)
	n, oobn, err := c.WriteMsgIP([]byte("three"), nil, self)
	see("WriteMsgIP", n, oobn, err)
	n, oobn, flags, from, err := c.ReadMsgIP(b, oob)
	see("ReadMsgIP", fmt.Sprintf("%q", body(b[:n])), oobn, flags, from, err)
	n, err = c.WriteToIP([]byte("four"), self)
	see("WriteToIP", n, err)
	n, err = c.Read(b)
	see("Read", fmt.Sprintf("%q", body(b[:n])), err)
	n, err = c.WriteToIP([]byte("much"), self)
	see("WriteToIP", n, err)
	n, oobn, flags, _, err = c.ReadMsgIP(b[:2], nil)
	see("ReadMsgIP, short", n, oobn, flags&syscall.MSG_TRUNC, err)

	_, err = c.WriteToIP(b, nil)
	see("to nobody", err)
	_, err = c.WriteTo(b, &net.UDPAddr{})
	see("to another type", err)
	_, err = c.Write(b)
	see("Write", err)
	if self.IP.To4() != nil {
		_, err = c.WriteToIP(b, &net.IPAddr{IP: net.IPv6loopback})
		see("to the other family", err)
	}
	see("options", c.SetReadBuffer(1<<16), c.SetWriteBuffer(1<<16))
	f, err := c.File()
	see("File", err)
	if err == nil {
		f.Close()
	}
	c.SetReadDeadline(time.Unix(1, 0))
	_, _, err = c.ReadFromIP(b)
	see("late", err)
	see("Close", c.Close())
	_, _, err = c.ReadFromIP(b)
	see("closed", err)
	see("again", c.Close())
	return seen.String()
}

// Raw sockets that come from package net see what they would have seen there, in tasks and from goroutines.
func TestIPConn(t *testing.T) {
	for _, address := range []string{"127.0.0.1", "::1"} {
		self := &net.IPAddr{IP: net.ParseIP(address)}
		t.Run(address, func(t *testing.T) {
			network := func(s string) string { // package net has the name by which it was made
				return strings.ReplaceAll(s, fmt.Sprintf("ip:%d", protocolForTests), "ip")
			}
			want := network(ipCalls(rawIP(t, address), self))
			eachDriver(t, func(t *testing.T, cfg ringo.Config) {
				err := socktest.RunLoops(t, context.Background(), &cfg, func(l *ringo.Loop) error {
					c, err := sock.Adopt[*sock.IPConn](l, rawIP(t, address), nil)
					if err != nil {
						return err
					}
					if d := differences(want, network(ipCalls(c, self))); d != "" {
						t.Errorf("a task:%s", d)
					}
					return l.Offload(func(context.Context) error {
						c, err := sock.Adopt[*sock.IPConn](l, rawIP(t, address), nil)
						if err != nil {
							return err
						}
						if d := differences(want, network(ipCalls(c, self))); d != "" {
							t.Errorf("a goroutine:%s", d)
						}
						return nil
					})
				})
				if err != nil {
					t.Error(err)
				}
			})
		})
	}
}

// A socket that is connected sends there, and gets what comes from there.
func TestIPConnConnected(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		onLoop(t, cfg, func(l *ringo.Loop) {
			peer := rawIP(t, "127.0.0.2")
			defer peer.Close()
			std, err := net.Dial(fmt.Sprintf("ip4:%d", protocolForTests), "127.0.0.2")
			if err != nil {
				t.Fatal(err)
			}
			c, err := sock.Adopt[*sock.IPConn](l, std, nil)
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			if got := c.RemoteAddr().String(); got != "127.0.0.2" {
				t.Errorf("RemoteAddr is %s", got)
			}
			if n, err := c.Write([]byte("ping")); n != 4 || err != nil {
				t.Fatalf("Write = %d, %v", n, err)
			}
			if _, err := c.WriteToIP([]byte("x"), &net.IPAddr{IP: net.IPv4(127, 0, 0, 3)}); !errors.Is(err,
				net.ErrWriteToConnected) {
				t.Errorf("WriteToIP of a connected socket: %v", err)
			}
			c.SetReadDeadline(patience.Deadline())
			err = l.Offload(func(context.Context) error {
				b := make([]byte, 100)
				peer.SetReadDeadline(patience.Deadline())
				n, from, err := peer.ReadFrom(b)
				if err == nil && string(b[:n]) != "ping" {
					t.Errorf("the peer got %q", b[:n])
				}
				if err == nil {
					_, err = peer.WriteTo([]byte("pong"), from)
				}
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
			b := make([]byte, 100)
			n, from, err := c.ReadFromIP(b)
			if err != nil || !bytes.Equal(b[:n], []byte("pong")) || from.String() != "127.0.0.2" {
				t.Errorf("ReadFromIP = %q, %v, %v", b[:n], from, err)
			}
		})
	})
}

// What is no raw socket is refused, and a zero value says so.
func TestIPConnOfOthers(t *testing.T) {
	onLoop(t, ringo.Config{}, func(l *ringo.Loop) {
		udp, err := net.ListenPacket("udp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer udp.Close()
		_, err = sock.Adopt[*sock.IPConn](l, udp, nil)
		if err == nil || !strings.Contains(err.Error(), "want a raw IP one") {
			t.Errorf("an IPConn of a UDP socket: %v", err)
		}
		if _, err := udp.WriteTo([]byte("x"), udp.LocalAddr()); err != nil {
			t.Errorf("the socket that was refused: %v", err)
		}
		raw := rawIP(t, "127.0.0.1")
		defer raw.Close()
		if _, err := sock.Adopt[*sock.PacketConn](l, raw, nil); err == nil {
			t.Error("a PacketConn was made of a raw socket")
		}
		var zero sock.IPConn
		for name, err := range map[string]error{"Close": zero.Close(), "Write": errOf(zero.Write(nil)),
			"WriteToIP": errOf(zero.WriteToIP(nil, &net.IPAddr{})), "Read": errOf(zero.Read(make([]byte, 1)))} {
			if !errors.Is(err, syscall.EINVAL) {
				t.Errorf("%s of a zero value: %v", name, err)
			}
		}
	})
}

func errOf[A any](_ A, err error) error { return err }
