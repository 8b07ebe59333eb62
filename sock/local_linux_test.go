//go:build linux

package sock_test

import (
	"testing"

	"ringo"
	"ringo/internal/loop"
	"ringo/internal/test/socktest"
	"ringo/sock"
)

// Goroutines that accept are not to make what the loop keeps for sockets: it is there once there is a listener.
func TestListenMakesLoopState(t *testing.T) {
	for _, network := range []string{"tcp", "unix"} {
		eachDriver(t, func(t *testing.T, cfg ringo.Config) {
			err := socktest.RunLoops(t, t.Context(), &cfg, func(l *ringo.Loop) error {
				address := "127.0.0.1:0"
				if network == "unix" {
					address = t.TempDir() + "/s"
				}
				ln, err := sock.Listen(l, network, address)
				if err != nil {
					return err
				}
				defer ln.Close()
				if (*loop.Loop)(l).Local() == nil {
					t.Error("the loop keeps nothing for sockets")
				}
				return nil
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
}
