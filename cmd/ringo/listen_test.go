package main

import (
	"io"
	"testing"
)

// TestParseAddress: what is accepted, as package sock gets it. What is not, TestUsage has.
func TestParseAddress(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ text, network, name string }{
		{"127.0.0.1:7000", "tcp", "127.0.0.1:7000"},
		{"localhost:0", "tcp", "localhost:0"},
		{":80", "tcp", ":80"},
		{"[fe80::1%eth0]:080", "tcp", "[fe80::1%eth0]:80"},
		{"tcp://127.0.0.1:7000", "tcp", "127.0.0.1:7000"},
		{"tcp4://localhost:0", "tcp4", "localhost:0"},
		{"tcp6://[::1]:65535", "tcp6", "[::1]:65535"},
		{"tcp://:80", "tcp", ":80"},
		{"tcp://[::]:080", "tcp", "[::]:80"},
		{"tcp://[fe80::1%25eth0]:1", "tcp", "[fe80::1%eth0]:1"},
		{"unix:///run/x.sock", "unix", "/run/x.sock"},
		{"unix://x", "unix", "x"},
		{"unixpacket://@a b", "unixpacket", "@a b"},
	} {
		a, err := parseAddress(c.text)
		if err != nil || a.network != c.network || a.name != c.name {
			t.Errorf("%s: %q %q, %v; want %q %q", c.text, a.network, a.name, err, c.network, c.name)
		}
	}
}

// TestDefaults: without flags it is one address, handlers per request and the best driver.
func TestDefaults(t *testing.T) {
	t.Parallel()
	o, err := parseEcho(nil, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	if got := o.listen.String(); got != "tcp://127.0.0.1:7000" {
		t.Errorf("listens on %s", got)
	}
	if c := o.config(); o.handler != perRequest || c.Driver != "auto" || c.Loops != 0 || c.Pin || c.Spin != 0 ||
		c.Grace.String() != "5s" {
		t.Errorf("handler %q, %+v", o.handler, c)
	}
}

// TestNoGrace: 0 is none at all, where the configuration's 0 is the default.
func TestNoGrace(t *testing.T) {
	t.Parallel()
	o, err := parseEcho([]string{"-grace", "0"}, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	if g := o.config().Grace; g >= 0 {
		t.Errorf("Config.Grace is %v", g)
	}
}
