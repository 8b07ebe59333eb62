package event_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"ringo"
	"ringo/event"
	"ringo/internal/test/patience"
	"ringo/sock"
)

// Who calls wrongly is told by a panic that names what he called, before anything was bound or begun.
func TestMisuse(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		type sockets struct {
			ln *sock.Listener
			c  *sock.PacketConn
		}
		others, over := ringo.NewChan[sockets](1), ringo.NewChan[bool](0)
		cfg.Loops = 2
		patience.Within(t.Name(), func() {
			if err := ringo.Run(context.Background(), &cfg, func(l *ringo.Loop) error {
				if l != l.Loops()[0] {
					ln, err := sock.Listen(l, "tcp", "127.0.0.1:0")
					if err != nil {
						return err
					}
					defer ln.Close()
					c, err := sock.ListenPacket(l, "udp", "127.0.0.1:0")
					if err != nil {
						return err
					}
					defer c.Close()
					others.Send(sockets{ln, c})
					over.Recv()
					return nil
				}
				defer over.Close()
				e := event.On(l)
				theirs, err := others.Recv()
				if err != nil {
					return err
				}
				for want, f := range map[string]func(){
					"Loop.Listen without a Handler":             func() { e.Listen("tcp", "127.0.0.1:0", nil) },
					"Loop.Accept without a Handler":             func() { e.Accept(theirs.ln, nil) },
					"Loop.Accept of another loop's listener":    func() { e.Accept(theirs.ln, event.Base{}) },
					"Loop.Accept of a nil *sock.Listener":       func() { e.Accept(nil, event.Base{}) },
					"Loop.Dial without a Handler":               func() { e.Dial("tcp", "127.0.0.1:1", nil) },
					"Loop.DialBy of a nil *sock.Dialer":         func() { e.DialBy(nil, "tcp", "", event.Base{}) },
					"Loop.Adopt without a Handler":              func() { e.Adopt(nil, nil) },
					"Loop.Adopt of a nil *sock.Conn":            func() { e.Adopt(nil, event.Base{}) },
					"Loop.ListenPacket without a PacketHandler": func() { e.ListenPacket("udp", "127.0.0.1:0", nil) },
					"Loop.DialPacket without a PacketHandler":   func() { e.DialPacket("udp", "127.0.0.1:1", nil) },
					"Loop.Receive of a nil *sock.PacketConn":    func() { e.Receive(nil, event.PacketBase{}) },
					"Loop.Receive of another loop's socket":     func() { e.Receive(theirs.c, event.PacketBase{}) },
				} {
					if err := panics(f, want); err != nil {
						t.Error(err)
					}
				}
				if n := len(sock.Listeners()); n != 1 {
					t.Errorf("%d listeners are open, want that of the other loop", n)
				}
				for _, i := range l.Handles() {
					t.Errorf("%s %v is left open", i.Kind, i.Local)
				}
				return e.Wait()
			}); err != nil {
				t.Error(err)
			}
		})
	})
}

// A bound of less than nothing is refused, and not taken for one that everything breaks.
func TestNegativeBounds(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		onLoop(t, cfg, func(l *event.Loop) {
			c, p := l.Dial("tcp", "127.0.0.1:1", event.Base{}), l.DialPacket("udp", "127.0.0.1:1", event.PacketBase{})
			for want, f := range map[string]func(){
				"Conn.SetUnreadMax of -1":       func() { c.SetUnreadMax(-1) },
				"Conn.SetMarks of -1":           func() { c.SetMarks(1, -1) },
				"Conn.SetMarks of -2":           func() { c.SetMarks(-2, 1) },
				"Loop.SetUnsentMax of -1":       func() { l.SetUnsentMax(-1) },
				"PacketConn.SetUnsentMax of -1": func() { p.SetUnsentMax(-1) },
			} {
				if err := panics(f, want); err != nil {
					t.Error(err)
				}
			}
			c.Close()
			p.Close()
		})
	})
}

// panics wants f to panic with what contains want.
func panics(f func(), want string) (err error) {
	defer func() {
		if got := fmt.Sprint(recover()); !strings.Contains(got, "event: "+want) {
			err = fmt.Errorf("got %q, want %q", got, want)
		}
	}()
	f()
	return nil
}
