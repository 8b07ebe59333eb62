//go:build linux

package sock_test

import (
	"errors"
	"os"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"ringo"
	"ringo/internal/test/patience"
	"ringo/internal/test/seccomptest"
	"ringo/internal/test/socktest"
	"ringo/sock"
)

// Where a filter refuses the call that reads datagrams, a server of them ends with that error, and does not try for
// ever.
func TestServePacketsDenied(t *testing.T) {
	t.Parallel()
	if os.Getenv("RINGO_TEST_DENIED") == "" {
		for _, errno := range []syscall.Errno{unix.EPERM, unix.EOPNOTSUPP} {
			cmd := seccomptest.Command(t, seccomptest.Deny(seccomptest.Rule{Number: unix.SYS_RECVMMSG, Errno: errno}),
				os.Args[0], "-test.run", "^TestServePacketsDenied$")
			cmd.Env = append(os.Environ(), "RINGO_TEST_DENIED=yes")
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Errorf("%v: %v\n%s", errno, err, out)
			}
		}
		return
	}
	socktest.EachDriver(t, func(t *testing.T, cfg ringo.Config) {
		patience.Within(t.Name(), func() {
			socktest.OnLoop(t, cfg, func(l *ringo.Loop) {
				c := listenPacket(t, l, "udp", "127.0.0.1:0")
				defer c.Close()
				peer := peerOf(t, l, c.LocalAddr())
				defer peer.Close()
				post(t, peer, "one that is there to be read")
				err := sock.ServePackets(l, c, &sock.PacketHandler{Packet: func(*sock.Packet) {
					t.Error("a datagram was read")
				}})
				if !errors.Is(err, unix.EPERM) && !errors.Is(err, unix.EOPNOTSUPP) {
					t.Errorf("ServePackets() = %v", err)
				}
			})
		})
	})
}
