package proxy

import (
	"context"
	"net"
	"testing"
	"time"

	"ringo"
	"ringo/cmd/ringo/internal/proxyproto"
	"ringo/internal/posix"
)

// deaf is a connection to which no write succeeds.
type deaf struct {
	net.Conn
	closed *int
}

func (deaf) Write([]byte) (int, error)   { return 0, posix.EPIPE }
func (deaf) SetDeadline(time.Time) error { return nil }
func (d deaf) Close() error              { *d.closed++; return nil }

// TestIntroduceFails: a connection that does not take the header is closed, and its upstream left.
func TestIntroduceFails(t *testing.T) {
	r, us := &relay{o: &options{send: sendV1}}, several(balanceLeast, 2)
	closed := 0
	for _, u := range us.all {
		u.backs.Dial = func(context.Context, *ringo.Loop) (net.Conn, error) { return deaf{closed: &closed}, nil }
	}
	err := ringo.Run(t.Context(), &ringo.Config{Loops: 1}, func(l *ringo.Loop) error {
		if _, _, _, err := r.open(l, us, proxyproto.Header{}, nil, nil); err == nil {
			t.Error("no error")
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	if closed != 2 || us.taken() != 0 {
		t.Errorf("%d connections of 2 are closed, and %d are counted", closed, us.taken())
	}
}
