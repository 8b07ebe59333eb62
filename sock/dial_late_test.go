package sock_test

import (
	"context"
	"errors"
	"net"
	"strings"
	"testing"
	"time"

	"ringo"
	"ringo/sock"
)

// A dial whose context has ended says where it was to go, as in package net.
func TestDialEndedContextNamesTheAddress(t *testing.T) {
	canceled, cancel := context.WithCancel(context.Background())
	cancel()
	late, cancelLate := context.WithDeadline(context.Background(), time.Unix(1, 0))
	defer cancelLate()
	cause := errors.New("our cause")
	caused, cancelCaused := context.WithCancelCause(context.Background())
	cancelCaused(cause)
	contexts := map[string]struct {
		ctx  context.Context
		want error
		std  bool // package net knows it, too
	}{"canceled": {canceled, context.Canceled, true}, "late": {late, context.DeadlineExceeded, true},
		"cause": {caused, cause, false}}
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		onLoop(t, cfg, func(l *ringo.Loop) {
			for name, c := range contexts {
				for _, to := range []struct{ network, address, named string }{
					{"tcp", "127.0.0.1:9", "127.0.0.1:9"},
					{"tcp6", "[::1]:9", "[::1]:9"},
					{"unix", "@nobody", "@nobody"},
					{"tcp", "a.test:80", "a.test"},
				} {
					_, err := new(sock.Dialer).DialContext(c.ctx, l, to.network, to.address)
					if !errors.Is(err, c.want) || !strings.Contains(err.Error(), to.named) {
						t.Errorf("%s, %s: %v, want %v and the address", name, to.address, err, c.want)
					}
					if to.named != to.address || !c.std { // package net would ask a name server
						continue
					}
					_, std := new(net.Dialer).DialContext(c.ctx, to.network, to.address)
					compare(t, name+", "+to.address, err, std)
				}
			}
		})
	})
}
