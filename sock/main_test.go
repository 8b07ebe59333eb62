package sock_test

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"path"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"ringo"
	"ringo/internal/posix"
	"ringo/internal/test/patience"
	"ringo/internal/test/socktest"
	"ringo/internal/test/testmain"
	"ringo/sock"
)

// childEnv names the program that this binary shall be in place of the tests.
const childEnv = "RINGO_SOCK_CHILD"

// children are those programs. Each gives the exit status.
var children = map[string]func() int{}

func TestMain(m *testing.M) {
	if child := children[os.Getenv(childEnv)]; child != nil {
		os.Exit(child())
	}
	testmain.Register("slots and buffers of loops that have ended", socktest.Left)
	testmain.Main(m)
}

// Every test and every case of the contract that docs/defects.md names exists.
func TestDefects(t *testing.T) {
	page, err := os.ReadFile(filepath.Join("..", "docs", "defects.md"))
	if err != nil {
		t.Fatal(err)
	}
	tests, cases := testsByPackage(t), contractCases(t)
	named := 0
	for _, m := range regexp.MustCompile("`([^`]+)`").FindAllStringSubmatch(string(page), -1) {
		name := m[1]
		if c, ok := strings.CutPrefix(name, "contract: "); ok {
			if c == "a/b" {
				continue // how they are written
			}
			named++
			if group, of, _ := strings.Cut(c, "/"); !strings.Contains(cases[group], `"`+of) {
				t.Errorf("the contract has no case %q", c)
			}
			continue
		}
		pkg, test, ok := strings.Cut(name, ".")
		if !ok || !strings.HasPrefix(test, "Test") && !strings.HasPrefix(test, "Fuzz") || test == "TestX" {
			continue
		}
		named++
		if !tests[pkg+"."+test] {
			t.Errorf("there is no test %s", name)
		}
	}
	if named < 100 {
		t.Errorf("%d tests are named: the page was not understood", named)
	}
}

// testsByPackage lists all tests by the last word of their folder, which for the
// root is ringo, and for the command ringo/cmd.
func testsByPackage(t *testing.T) map[string]bool {
	t.Helper()
	found := map[string]bool{}
	decl := regexp.MustCompile(`(?m)^func ((?:Test|Fuzz)\w+)\(`)
	root := os.DirFS("..")
	err := fs.WalkDir(root, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(name, "_test.go") {
			return err
		}
		text, err := fs.ReadFile(root, name)
		if err != nil {
			return err
		}
		pkg := path.Base(path.Dir(name))
		switch path.Dir(name) {
		case ".":
			pkg = "ringo"
		case "cmd/ringo":
			pkg = "ringo/cmd"
		}
		for _, m := range decl.FindAllStringSubmatch(string(text), -1) {
			found[pkg+"."+m[1]] = true
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// contractCases gives the source of each group of the contract's cases.
func contractCases(t *testing.T) map[string]string {
	t.Helper()
	dir := filepath.Join("..", "internal", "test", "drivertest")
	files, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil || len(files) == 0 {
		t.Fatalf("%s: %d files, %v", dir, len(files), err)
	}
	groups := map[string]string{}
	for _, name := range files {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		groups[strings.TrimSuffix(filepath.Base(name), ".go")] = string(text)
	}
	return groups
}

// zeroAnswers are the methods of zero values that have an answer all the same, by type.
var zeroAnswers = map[reflect.Type][]string{
	reflect.TypeFor[*sock.Conn](): {"Buffered", "LocalAddr", "RemoteAddr", "Loop", "Value",
		"SetValue", "ZeroCopy", "CloseSoon"},
	reflect.TypeFor[*sock.Listener]():       {"Addr", "Loop", "SetUnlinkOnClose", "Stats"},
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
				patience.Within(fmt.Sprintf("%T.%s", zero, name), func() { got = outcome(method, in) })
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
