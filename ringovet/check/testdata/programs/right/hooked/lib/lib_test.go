package lib

import (
	"testing"

	"ringo"
	"ringo/sim"
	"ringo/sock"
)

func TestServe(t *testing.T) {
	said := 0
	s := &Server{Say: func(string, ...any) { said++ }}
	sim.RunLoop(t, func(l *ringo.Loop) error {
		a, b, err := sock.Pipe(l)
		if err != nil {
			return err
		}
		defer a.Close()
		l.Go(func() { s.Serve(b) })
		return nil
	})
}
