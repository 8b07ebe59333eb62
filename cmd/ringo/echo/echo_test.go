package echo

import (
	"io"
	"testing"

	"ringo"
)

// TestDefaults: without flags it is one address, handlers per request and the best driver.
func TestDefaults(t *testing.T) {
	t.Parallel()
	o, err := parse(nil, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	if got := o.Listen; len(got) != 1 || got[0].String() != "tcp://127.0.0.1:7000" {
		t.Errorf("listens on %v", got)
	}
	if c := o.Config(); o.handler != perRequest || c.Driver != "auto" || c.Loops != 0 || c.Place != ringo.Anywhere ||
		c.Spin != 0 || c.Grace.String() != "5s" {
		t.Errorf("handler %q, %+v", o.handler, c)
	}
}

// TestNoGrace: 0 is none at all, where the configuration's 0 is the default.
func TestNoGrace(t *testing.T) {
	t.Parallel()
	o, err := parse([]string{"-grace", "0"}, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	if g := o.Config().Grace; g >= 0 {
		t.Errorf("Config.Grace is %v", g)
	}
}
