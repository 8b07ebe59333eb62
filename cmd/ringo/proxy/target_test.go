package proxy

import (
	"testing"

	"ringo/cmd/ringo/internal/server"
)

// TestTarget: an address has options behind a ?, and nothing else.
func TestTarget(t *testing.T) {
	tcp := server.Address{Network: "tcp", Name: "h:80"}
	for text, want := range map[string]target{
		"h:80":                        {tcp, route{}, 1, 0, false},
		"h:80?weight=3":               {tcp, route{}, 3, 0, false},
		"tcp://h:80?max=7&weight=256": {tcp, route{}, 256, 7, false},
		"unix:///run/a.sock?weight=2": {server.Address{Network: "unix", Name: "/run/a.sock"}, route{}, 2, 0,
			false},
		"unix://@a?max=1":                   {server.Address{Network: "unix", Name: "@a"}, route{}, 1, 1, false},
		"tcp6://[::1]:80?weight=1&max=10":   {server.Address{Network: "tcp6", Name: "[::1]:80"}, route{}, 1, 10, false},
		"h:80?backup=true&weight=2":         {tcp, route{}, 2, 0, true},
		"h:80?backup=false":                 {tcp, route{}, 1, 0, false},
		"h:80?sni=*.Shop.example":           {tcp, route{sni: "*.shop.example"}, 1, 0, false},
		"h:80?host=a_b-1&path=/a%20b&max=2": {tcp, route{host: "a_b-1", path: "/a b"}, 1, 2, false},
	} {
		var ts targets
		if err := ts.Set(text); err != nil || len(ts) != 1 || ts[0] != want {
			t.Errorf("%s is %v, %v; want %v", text, ts, err, want)
		}
	}
}
