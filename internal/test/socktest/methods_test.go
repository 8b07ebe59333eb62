//go:build linux

package socktest

import (
	"net"
	"os"
	"reflect"
	"strings"
	"testing"

	"ringo/file"
	"ringo/sock"
)

// inPlaceOf are the types of the standard library whose methods programs expect, and ours in their place.
var inPlaceOf = []struct{ theirs, ours reflect.Type }{
	{reflect.TypeFor[*net.TCPConn](), reflect.TypeFor[*sock.Conn]()},
	{reflect.TypeFor[*net.UnixConn](), reflect.TypeFor[*sock.Conn]()},
	{reflect.TypeFor[*net.UnixConn](), reflect.TypeFor[*sock.UnixPacketConn]()},
	{reflect.TypeFor[*net.UDPConn](), reflect.TypeFor[*sock.PacketConn]()},
	{reflect.TypeFor[*net.TCPListener](), reflect.TypeFor[*sock.Listener]()},
	{reflect.TypeFor[*net.UnixListener](), reflect.TypeFor[*sock.Listener]()},
	{reflect.TypeFor[*os.File](), reflect.TypeFor[*file.File]()},
	{reflect.TypeFor[*os.Root](), reflect.TypeFor[*file.Root]()},
	{reflect.TypeFor[net.Dialer](), reflect.TypeFor[sock.Dialer]()},
	{reflect.TypeFor[net.ListenConfig](), reflect.TypeFor[sock.ListenConfig]()},
}

// Why a method, or a field, is not there or is another.
const (
	copies  = "a Conn is a stream: this is the method of io.ReaderFrom or io.WriterTo, as a *net.TCPConn's is"
	ofLoop  = "a handle belongs to a loop, which is an argument; Dialer.Func gives the shape without"
	typed   = "the addresses are words and LocalAddr, and the types those of Dial, DialPacket and DialUnixgram"
	noIP    = "there is no IPConn"
	noMPTCP = "sockets of Multipath TCP are not made, only adopted"
	gone    = "deprecated: DialContext ends with its context, and addresses always race"
)

// absent are the methods and fields that are not there or not the same, and why.
var absent = map[string]string{
	"sock.Conn for net.UnixConn: ReadFrom":                    copies,
	"sock.Conn for net.UnixConn: WriteTo":                     copies,
	"sock.Dialer for net.Dialer: Dial":                        ofLoop,
	"sock.Dialer for net.Dialer: DialContext":                 ofLoop,
	"sock.Dialer for net.Dialer: DialIP":                      noIP,
	"sock.Dialer for net.Dialer: DialTCP":                     typed,
	"sock.Dialer for net.Dialer: DialUDP":                     typed,
	"sock.Dialer for net.Dialer: DialUnix":                    typed,
	"sock.Dialer for net.Dialer: MultipathTCP":                noMPTCP,
	"sock.Dialer for net.Dialer: SetMultipathTCP":             noMPTCP,
	"sock.Dialer for net.Dialer: DualStack":                   gone,
	"sock.Dialer for net.Dialer: Cancel":                      gone,
	"sock.ListenConfig for net.ListenConfig: Listen":          ofLoop,
	"sock.ListenConfig for net.ListenConfig: ListenPacket":    ofLoop,
	"sock.ListenConfig for net.ListenConfig: MultipathTCP":    noMPTCP,
	"sock.ListenConfig for net.ListenConfig: SetMultipathTCP": noMPTCP,
}

// Types of ours have all methods and fields of those that they stand for, also those that come with a new release of
// Go: what is not there has a reason.
func TestMethodsOfTheStandardLibrary(t *testing.T) {
	met := map[string]bool{}
	for _, pair := range inPlaceOf {
		check := func(name, why string) {
			key := typeName(pair.ours) + " for " + typeName(pair.theirs) + ": " + name
			met[key] = true
			switch reason := absent[key]; {
			case why != "" && reason == "":
				t.Errorf("%q: %s: add it, or the reason why not", key, why)
			case why == "" && reason != "":
				t.Errorf("%q is there, though the list says: %s", key, reason)
			}
		}
		for i := range pair.theirs.NumMethod() {
			m := pair.theirs.Method(i)
			check(m.Name, differs(pair.theirs, pair.ours, m.Name))
		}
		// net.Dialer and net.ListenConfig have methods of their pointers, and fields.
		if pair.theirs.Kind() == reflect.Struct {
			theirs, ours := reflect.PointerTo(pair.theirs), reflect.PointerTo(pair.ours)
			for i := range theirs.NumMethod() {
				name := theirs.Method(i).Name
				check(name, differs(theirs, ours, name))
			}
			for i := range pair.theirs.NumField() {
				if f := pair.theirs.Field(i); f.IsExported() {
					check(f.Name, fieldDiffers(f, pair.ours))
				}
			}
		}
	}
	for key := range absent {
		if !met[key] {
			t.Errorf("%q: the standard library has no such thing: the reason must go", key)
		}
	}
}

func typeName(t reflect.Type) string { return strings.TrimPrefix(t.String(), "*") }

// differs is how a method of ours is not the one that programs expect; "" if it is.
func differs(theirs, ours reflect.Type, name string) string {
	want, _ := theirs.MethodByName(name)
	got, ok := ours.MethodByName(name)
	if !ok {
		return "there is no such method"
	}
	if w, g := signature(want.Type, true), signature(got.Type, false); w != g {
		return "the method is " + g + ", want " + w
	}
	return ""
}

// signature is a method's without its receiver, with what stands in its place for a type of the standard library's.
func signature(m reflect.Type, theirs bool) string {
	var in, out []string
	for i := 1; i < m.NumIn(); i++ {
		in = append(in, m.In(i).String())
	}
	for i := range m.NumOut() {
		result := m.Out(i)
		for _, pair := range inPlaceOf {
			files := result == reflect.TypeFor[*os.File]() && m.In(0) != reflect.TypeFor[*os.Root]() // a socket's File
			if theirs && !files && pair.theirs == result {
				result = pair.ours
				break
			}
		}
		out = append(out, result.String())
	}
	return "(" + strings.Join(in, ", ") + ") (" + strings.Join(out, ", ") + ")"
}

func fieldDiffers(want reflect.StructField, ours reflect.Type) string {
	got, ok := ours.FieldByName(want.Name)
	switch {
	case !ok:
		return "there is no such field"
	case got.Type != want.Type:
		return "the field is of type " + got.Type.String() + ", want " + want.Type.String()
	}
	return ""
}
