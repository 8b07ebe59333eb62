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
			_, info := c.TCPInfo()
			lowat := &sock.ListenConfig{Options: sock.Options{NotSentLowat: 1 << 16}}
			_, options := lowat.Listen(l, "tcp", "127.0.0.1:0")
			for what, err := range map[string]error{
				"SetUserTimeout": c.SetUserTimeout(time.Second), "TCPInfo": info, "NotSentLowat": options,
			} {
				named := err != nil && strings.HasSuffix(err.Error(), "not supported on "+runtime.GOOS)
				if err != nil && (!errors.Is(err, errors.ErrUnsupported) || !named) {
					t.Errorf("%s: %v", what, err)
				}
			}
		})
	})
}
