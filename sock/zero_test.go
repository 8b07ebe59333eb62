package sock_test

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"ringo"
	"ringo/internal/posix"
	"ringo/sock"
)

// zeroAnswers are the methods of zero values that have an answer all the same, by type.
var zeroAnswers = map[reflect.Type][]string{
	reflect.TypeFor[*sock.Conn](): {"Buffered", "LocalAddr", "RemoteAddr", "Loop", "Value",
		"SetValue", "ZeroCopy"},
	reflect.TypeFor[*sock.Listener]():       {"Addr", "SetUnlinkOnClose"},
	reflect.TypeFor[*sock.PacketConn]():     {"LocalAddr", "RemoteAddr", "Loop", "GSO"},
	reflect.TypeFor[*sock.UnixPacketConn](): {"LocalAddr", "RemoteAddr", "Loop", "SetUnlinkOnClose"},
	reflect.TypeFor[*sock.Pollable]():       {"Loop"},
	reflect.TypeFor[*sock.ListenerSet]():    {"Addr"},
}

// The zero values of handles are of no use, and say so as those of package net do, whatever they are asked.
func TestZeroValuesAsNet(t *testing.T) {
	if _, want := new(net.TCPConn).Read(nil); want != posix.EINVAL {
		t.Fatalf("package net has another error by now: %v", want)
	}
	plain := map[reflect.Type]any{
		reflect.TypeFor[[]byte]():            []byte("x"),
		reflect.TypeFor[[][]byte]():          [][]byte{[]byte("x")},
		reflect.TypeFor[[]sock.Message]():    make([]sock.Message, 1),
		reflect.TypeFor[sock.ControlFlags](): sock.ControlTTL,
		reflect.TypeFor[time.Time]():         time.Unix(1, 0),
		reflect.TypeFor[time.Duration]():     time.Second,
		reflect.TypeFor[net.Addr]():          &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 9},
		reflect.TypeFor[*net.UDPAddr]():      &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 9},
		reflect.TypeFor[*net.UnixAddr]():     &net.UnixAddr{Name: "x", Net: "unixgram"},
		reflect.TypeFor[netip.AddrPort]():    netip.MustParseAddrPort("127.0.0.1:9"),
		reflect.TypeFor[netip.Addr]():        netip.MustParseAddr("224.0.0.1"),
		reflect.TypeFor[io.Writer]():         io.Discard,
		reflect.TypeFor[io.Reader]():         strings.NewReader("x"),
		reflect.TypeFor[*ringo.Loop]():       new(ringo.Loop),
		reflect.TypeFor[int]():               1,
		reflect.TypeFor[bool]():              true,
		reflect.TypeFor[string]():            "x",
		reflect.TypeFor[sock.Interest]():     sock.Readable,
	}
	must := map[reflect.Type]bool{ // what even the plainest call has
		reflect.TypeFor[[]byte](): true, reflect.TypeFor[[]sock.Message](): true, reflect.TypeFor[time.Time](): true,
		reflect.TypeFor[sock.ControlFlags](): true, reflect.TypeFor[net.Addr](): true,
		reflect.TypeFor[*net.UDPAddr](): true,
	}
	handles := []any{new(sock.Conn), new(sock.Listener), new(sock.PacketConn), new(sock.UnixPacketConn),
		new(sock.Pollable), new(sock.ListenerSet)}
	for _, zero := range handles {
		v := reflect.ValueOf(zero)
		for i := range v.NumMethod() {
			name, method := v.Type().Method(i).Name, v.Method(i)
			for _, all := range []bool{false, true} {
				var in []reflect.Value
				for j := range method.Type().NumIn() {
					if method.Type().IsVariadic() && j == method.Type().NumIn()-1 {
						break
					}
					typ := method.Type().In(j)
					if arg, ok := plain[typ]; ok && (all || must[typ]) {
						in = append(in, reflect.ValueOf(arg))
					} else {
						in = append(in, reflect.Zero(typ))
					}
				}
				var got any
				within(patience, fmt.Sprintf("%T.%s", zero, name), func() { got = outcome(method, in) })
				if slices.Contains(zeroAnswers[v.Type()], name) {
					if err, panicked := got.(error); panicked {
						t.Errorf("%T.%s: %v", zero, name, err)
					}
				} else if err, ok := got.(error); !ok || !errors.Is(err, posix.EINVAL) {
					t.Errorf("%T.%s: %v, want %v", zero, name, got, posix.EINVAL)
				}
			}
		}
	}
	if _, err := os.Stdin.Stat(); err != nil {
		t.Errorf("descriptor 0, which is the zero value's, was closed: %v", err)
	}
}
