package server

import (
	"strings"
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
		if err != nil || a.Network != c.network || a.Name != c.name {
			t.Errorf("%s: %q %q, %v; want %q %q", c.text, a.Network, a.Name, err, c.network, c.name)
		}
	}
}

// A name of a host has no blanks.
func TestParseAddressBlank(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"a b:80", "a\tb:80", " a:80", "tcp://a b:80"} {
		if a, err := parseAddress(text); err == nil {
			t.Errorf("%q is taken for %v", text, a)
		}
	}
}

// A server that does not take all networks says which it takes, and takes them.
func TestFlag(t *testing.T) {
	t.Parallel()
	for _, networks := range [][]string{StreamNetworks, ConnNetworks, AllNetworks} {
		var as Addresses
		f := as.Flag(networks)
		want := `network "http": want ` + strings.Join(networks, ", ")
		if err := f.Set("http://127.0.0.1:8080"); err == nil || err.Error() != want {
			t.Errorf("%v, want %s", err, want)
		}
		for _, network := range networks {
			name := "127.0.0.1:0"
			if strings.HasPrefix(network, "unix") {
				name = "@x"
			}
			if err := f.Set(network + "://" + name); err != nil || as[len(as)-1] != (Address{network, name}) {
				t.Errorf("%s: %v, %v", network, as, err)
			}
		}
	}
}
