//go:build linux

package sock_test

import (
	"context"
	"errors"
	"io"
	"math"
	"net"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"ringo"
	"ringo/sock"
)

// TCPInfo is what the kernel's struct says, from a task and from a goroutine.
func TestTCPInfo(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		pair(t, cfg, func(l *ringo.Loop, c *sock.Conn, peer *net.TCPConn) {
			const size = 10_000
			offloaded(t, l, func() error { _, err := peer.Write(make([]byte, size)); return err })
			if _, err := io.ReadFull(c, make([]byte, size)); err != nil {
				t.Fatal(err)
			}
			if _, err := c.Write(make([]byte, size)); err != nil {
				t.Fatal(err)
			}
			offloaded(t, l, func() error { _, err := io.ReadFull(peer, make([]byte, size)); return err })
			var info sock.TCPInfo
			eventuallyOn(t, l, "all is acknowledged", func() bool {
				var err error
				if info, err = c.TCPInfo(); err != nil {
					t.Fatal(err)
				}
				return info.Unacked == 0 && info.BytesAcked >= size
			})
			raw, err := unix.GetsockoptTCPInfo(fdOf(t, c), unix.IPPROTO_TCP, unix.TCP_INFO)
			if err != nil {
				t.Fatal(err)
			}
			want := sock.TCPInfo{
				State: sock.TCPEstablished, RTT: micros(raw.Rtt), RTTVar: micros(raw.Rttvar),
				MinRTT: micros(raw.Min_rtt), RTO: micros(raw.Rto), MSS: raw.Snd_mss, PathMTU: raw.Pmtu,
				CWnd: raw.Snd_cwnd, SSThresh: raw.Snd_ssthresh, Unacked: raw.Unacked, Lost: raw.Lost,
				Retransmits: raw.Retransmits, Retransmit: raw.Total_retrans, NotSent: raw.Notsent_bytes,
				BytesAcked: raw.Bytes_acked, BytesReceived: raw.Bytes_received, BytesSent: raw.Bytes_sent,
				BytesRetransmitted: raw.Bytes_retrans, SegmentsOut: raw.Segs_out, SegmentsIn: raw.Segs_in,
				DeliveryRate: raw.Delivery_rate, PacingRate: raw.Pacing_rate,
			}
			check := func(who string, got sock.TCPInfo, err error) {
				if err != nil {
					t.Fatalf("TCPInfo from a %s: %v", who, err)
				}
				got.LastSent, got.LastReceived = 0, 0 // they go on
				if got != want {
					t.Errorf("TCPInfo from a %s:\n got %+v\nwant %+v", who, got, want)
				}
			}
			info, err = c.TCPInfo()
			check("task", info, err)
			if info.BytesReceived != size || info.BytesSent < size || info.RTT <= 0 || info.MSS == 0 ||
				info.State.String() != "ESTABLISHED" {
				t.Errorf("TCPInfo: %+v", info)
			}
			var ierr error
			l.Offload(func(context.Context) error { info, ierr = c.TCPInfo(); return nil })
			check("goroutine", info, ierr)

			peer.CloseWrite()
			eventuallyOn(t, l, "CLOSE-WAIT", func() bool {
				info, err := c.TCPInfo()
				return err == nil && info.State == sock.TCPCloseWait
			})
			c.Close()
			if _, err := c.TCPInfo(); !errors.Is(err, net.ErrClosed) {
				t.Errorf("TCPInfo after Close: %v, want net.ErrClosed", err)
			}
		})
	})
}

func micros(n uint32) time.Duration { return time.Duration(n) * time.Microsecond }

func TestTCPStateNames(t *testing.T) {
	for s, want := range map[sock.TCPState]string{0: "TCPState(0)", sock.TCPEstablished: "ESTABLISHED",
		sock.TCPClosing: "CLOSING", 12: "TCPState(12)"} {
		if got := s.String(); got != want {
			t.Errorf("%d is %s, want %s", uint8(s), got, want)
		}
	}
}

func TestUserTimeout(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		pair(t, cfg, func(l *ringo.Loop, c *sock.Conn, peer *net.TCPConn) {
			fd := fdOf(t, c)
			for _, step := range []struct {
				d     time.Duration
				want  int
				wrong bool
			}{
				{d: 1500 * time.Millisecond, want: 1500}, {d: time.Nanosecond, want: 1},
				{d: -time.Second, want: 1, wrong: true},
				{d: math.MaxInt64, want: 1, wrong: true}, {d: math.MaxInt32 * time.Millisecond, want: math.MaxInt32},
				{d: 0, want: 0},
			} {
				err := c.SetUserTimeout(step.d)
				if wrong := errors.Is(err, syscall.EINVAL); wrong != step.wrong || !wrong && err != nil {
					t.Errorf("SetUserTimeout(%v): %v", step.d, err)
				}
				if got, _ := syscall.GetsockoptInt(fd, syscall.IPPROTO_TCP, unix.TCP_USER_TIMEOUT); got != step.want {
					t.Errorf("SetUserTimeout(%v): the kernel has %d ms, want %d", step.d, got, step.want)
				}
			}
			offloaded(t, l, func() error { return c.SetUserTimeout(time.Second) })
			if got, _ := syscall.GetsockoptInt(fd, syscall.IPPROTO_TCP, unix.TCP_USER_TIMEOUT); got != 1000 {
				t.Errorf("from a goroutine: the kernel has %d ms, want 1000", got)
			}
		})
	})
}

// A listener that defers gives the connection that speaks before the one that came
// first and is silent.
func TestDeferAccept(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		onLoop(t, cfg, func(l *ringo.Loop) {
			ln, err := (&sock.ListenConfig{DeferAccept: 2 * patience}).Listen(l, "tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer ln.Close()
			silent := dial(t, ln.Addr().String())
			defer silent.Close()
			speaks := dial(t, ln.Addr().String())
			defer speaks.Close()
			speaks.Write([]byte("hello"))
			c, err := ln.AcceptConn()
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			if got, want := c.RemoteAddr().String(), speaks.LocalAddr().String(); got != want {
				t.Errorf("accepted %s, want %s, which speaks", got, want)
			}
			wantAll(t, c, "hello")
		})
	})
}
