//go:build linux

package codec_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"ringo"
	"ringo/codec"
	"ringo/sim"
	"ringo/sock"
)

// In a world a token is there when its last byte is: that of a delimiter, however long it takes to come.
func TestInWorld(t *testing.T) {
	sim.RunLoop(t, func(l *ringo.Loop) error {
		c, peer := connect(t, l)
		begun := l.Now()
		l.Go(func() {
			for _, piece := range []string{"a li", "ne\r", "\n\r", "\n"} {
				peer.Write([]byte(piece))
				l.Sleep(time.Hour)
			}
			peer.Close()
		})
		s, got := codec.Scanner{Codec: &codec.Delimited{Delim: "\r\n"}}, ""
		for line, err := range s.Tokens(c) {
			got += fmt.Sprintf("%q, %v behind %v; ", line, err, l.Now().Sub(begun).Round(time.Hour))
		}
		if want := `"a line", <nil> behind 2h0m0s; "", <nil> behind 3h0m0s; `; got != want {
			t.Errorf("%s, want %s", got, want)
		}
		return c.Close()
	})
}

// In worlds whose network loses and splits what travels, questions get their answers.
func TestInWorlds(t *testing.T) {
	frames := &codec.Prefixed{Size: 2}
	sim.Explore(t, 10, func(w *sim.World) {
		server, client := w.Host("server"), w.Host("client")
		w.Link = sim.Link{Latency: time.Millisecond, Loss: 0.05}
		served := server.Run(nil, func(l *ringo.Loop) error {
			ln, err := sock.Listen(l, "tcp", ":7000")
			if err != nil {
				return err
			}
			return sock.Serve(l, ln, &sock.Handler{Request: func(c *sock.Conn) error {
				s, answer := codec.Scanner{Codec: frames}, []byte(nil)
				for frame, err := range s.Buffered(c) {
					if err == nil {
						answer, err = frames.AppendLength(answer[:0], len(frame))
						c.Write(append(answer, frame...))
					}
					if err != nil {
						return err
					}
				}
				return nil
			}})
		})
		asked := client.Run(nil, func(l *ringo.Loop) error {
			c, err := sock.Dial(l, "tcp", "server:7000")
			if err != nil {
				return err
			}
			defer c.Close()
			s := codec.Scanner{Codec: frames}
			for i := range 20 {
				question := make([]byte, i*i*50)
				frame, _ := frames.AppendLength(nil, len(question))
				if _, err := c.Write(append(frame, question...)); err != nil {
					return err
				}
				if answer, err := s.Next(nil, c); err != nil || len(answer) != len(question) {
					return errors.Join(fmt.Errorf("%d bytes for %d", len(answer), len(question)), err)
				}
			}
			return nil
		})
		w.Check(w.Wait(asked))
		served.Drain()
		w.Check(w.Wait(served))
	})
}
