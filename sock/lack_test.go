package sock_test

import (
	"errors"
	"runtime"
	"strings"
	"testing"
	"time"

	"ringo"
	"ringo/sock"
)

// What only some systems have is done, or refused by an error that names the system and is errors.ErrUnsupported.
func TestLacks(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		pair(t, cfg, func(l *ringo.Loop, c *sock.Conn, _ tcpPeer) {
			udp, err := sock.ListenPacket(l, "udp4", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer udp.Close()
			_, info := c.TCPInfo()
			errs := map[string]error{
				"SetUserTimeout": c.SetUserTimeout(time.Second), "TCPInfo": info,
				"SetGRO": udp.SetGRO(true), "SetControl": udp.SetControl(sock.ControlLocal, true),
			}
			for what, o := range map[string]sock.Options{
				"NotSentLowat": {NotSentLowat: 1 << 16}, "MaxPacingRate": {MaxPacingRate: 1 << 30},
				"Congestion": {Congestion: "reno"}, "TOS": {TOS: 8},
			} {
				ln, err := (&sock.ListenConfig{Options: o}).Listen(l, "tcp", "127.0.0.1:0")
				if errs[what] = err; err == nil {
					ln.Close()
				}
			}
			for what, err := range errs {
				named := err != nil && strings.HasSuffix(err.Error(), "not supported on "+runtime.GOOS)
				if err != nil && (!errors.Is(err, errors.ErrUnsupported) || !named) {
					t.Errorf("%s: %v", what, err)
				}
			}
		})
	})
}
