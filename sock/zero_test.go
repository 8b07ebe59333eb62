package sock_test

import (
	"net"
	"reflect"
	"slices"
	"syscall"
	"testing"
	"time"

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
}

// The zero values of handles are of no use, and say so as those of package net do.
func TestZeroValuesAsNet(t *testing.T) {
	if _, want := new(net.TCPConn).Read(nil); want != syscall.EINVAL {
		t.Fatalf("package net has another error by now: %v", want)
	}
	args := map[reflect.Type]reflect.Value{
		reflect.TypeFor[[]byte]():            reflect.ValueOf([]byte("x")),
		reflect.TypeFor[[]sock.Message]():    reflect.ValueOf(make([]sock.Message, 1)),
		reflect.TypeFor[sock.ControlFlags](): reflect.ValueOf(sock.ControlTTL),
		reflect.TypeFor[time.Time]():         reflect.ValueOf(time.Unix(1, 0)),
		reflect.TypeFor[net.Addr]():          reflect.ValueOf(&net.UDPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 9}),
		reflect.TypeFor[*net.UDPAddr]():      reflect.ValueOf(&net.UDPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 9}),
	}
	for _, zero := range []any{new(sock.Conn), new(sock.Listener), new(sock.PacketConn), new(sock.UnixPacketConn),
		new(sock.Pollable)} {
		v := reflect.ValueOf(zero)
		for i := range v.NumMethod() {
			name, method := v.Type().Method(i).Name, v.Method(i)
			var in []reflect.Value
			for j := range method.Type().NumIn() {
				if method.Type().IsVariadic() && j == method.Type().NumIn()-1 {
					break
				}
				arg, ok := args[method.Type().In(j)]
				if !ok {
					arg = reflect.Zero(method.Type().In(j))
				}
				in = append(in, arg)
			}
			got := outcome(method, in)
			if slices.Contains(zeroAnswers[v.Type()], name) {
				if err, panicked := got.(error); panicked {
					t.Errorf("%T.%s: %v", zero, name, err)
				}
			} else if got != error(syscall.EINVAL) {
				t.Errorf("%T.%s: %v, want %v", zero, name, got, syscall.EINVAL)
			}
		}
	}
}
