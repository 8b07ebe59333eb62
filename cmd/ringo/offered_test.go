package main

import (
	"io"
	"strings"
	"testing"
)

// An address of a network that there is not is refused with those that the command takes.
func TestNetworksOffered(t *testing.T) {
	for command, parse := range map[string]func(args ...string) error{
		"serve": func(args ...string) error { _, err := parseServe(append(args, "."), io.Discard); return err },
		"proxy": func(args ...string) error {
			_, err := parseProxy(append(args, "-to", "tcp://h:1"), io.Discard)
			return err
		},
		"echo": func(args ...string) error { _, err := parseEcho(args, io.Discard); return err },
	} {
		want := map[string]string{"serve": "tcp, tcp4, tcp6, unix", "proxy": "tcp, tcp4, tcp6, unix, unixpacket",
			"echo": "tcp, tcp4, tcp6, udp, udp4, udp6, unix, unixpacket, unixgram"}[command]
		err := parse("-listen", "http://127.0.0.1:8080")
		if err == nil || !strings.HasSuffix(err.Error(), `unknown network "http": want `+want) {
			t.Errorf("%s: %v, want it to end with %q", command, err, want)
		}
		for _, network := range strings.Split(want, ", ") {
			name := "127.0.0.1:0"
			if strings.HasPrefix(network, "unix") {
				name = "@x"
			}
			if err := parse("-listen", network+"://"+name); err != nil {
				t.Errorf("%s: %v", command, err)
			}
		}
	}
	if _, err := parseProxy([]string{"-to", "http://h:80"}, io.Discard); err == nil ||
		!strings.Contains(err.Error(), "want tcp, tcp4, tcp6, unix, unixpacket") {
		t.Errorf("proxy -to: %v", err)
	}
}
