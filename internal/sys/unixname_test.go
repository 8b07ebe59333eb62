package sys

import (
	"encoding/binary"
	"strings"
	"testing"
)

func TestUnixNames(t *testing.T) {
	for name, c := range map[string]struct {
		name string
		len  int
	}{
		"none":                   {"", 2},
		"path":                   {"/tmp/s", 2 + 6 + 1},
		"path that just ends":    {strings.Repeat("p", UnixPathMax-1), 2 + UnixPathMax},
		"path without a NUL":     {strings.Repeat("p", UnixPathMax), 2 + UnixPathMax},
		"abstract":               {"@name", 2 + 5},
		"abstract and empty":     {"@", 2 + 1},
		"abstract with NULs":     {"@a\x00b\x00", 2 + 5},
		"abstract of all length": {"@" + strings.Repeat("a", UnixPathMax-1), 2 + UnixPathMax},
	} {
		t.Run(name, func(t *testing.T) {
			var sa Sockaddr
			sa.SetUnix("/what/was/here/before")
			if !sa.SetUnix(c.name) {
				t.Fatalf("SetUnix(%q) refused it", c.name)
			}
			if sa.Len() != c.len || sa.Family() != AFUnix {
				t.Errorf("%d bytes of family %d, want %d of %d", sa.Len(), sa.Family(), c.len, AFUnix)
			}
			want := c.name
			if want == "@" { // a lone NUL is no name to the kernel either, but autobind does not give it
				want = ""
			}
			if got, ok := sa.Unix(); got != want || !ok {
				t.Errorf("Unix() = %q, %v, want %q", got, ok, want)
			}
			if sa.AddrPort().IsValid() {
				t.Errorf("AddrPort() of a Unix socket = %v", sa.AddrPort())
			}
		})
	}
}

func TestUnixNamesRefused(t *testing.T) {
	for _, name := range []string{strings.Repeat("p", UnixPathMax+1), "@" + strings.Repeat("a", UnixPathMax),
		"/a\x00b", "\x00"} {
		var sa Sockaddr
		if sa.SetUnix(name) {
			t.Errorf("SetUnix(%q) took what no socket is called", name)
		}
	}
}

// Lengths as kernels report them, and as none does.
func TestUnixLengths(t *testing.T) {
	raw := func(path string) []byte {
		return append(binary.NativeEndian.AppendUint16(nil, AFUnix), path...)
	}
	full := strings.Repeat("p", UnixPathMax)
	for name, c := range map[string]struct {
		raw  []byte
		want string
		ok   bool
	}{
		"nothing":                    {nil, "", false},
		"half a family":              {raw("")[:1], "", false},
		"a family":                   {raw(""), "", true},
		"a family and a NUL":         {raw("\x00"), "", true},
		"a path with its NUL":        {raw("/s\x00"), "/s", true},
		"a path without":             {raw("/s"), "/s", true},
		"a path and what was behind": {raw("/s\x00tail"), "/s", true},
		"108 bytes, and 110 said":    {raw(full), full, true},
		"108 bytes and a NUL":        {raw(full + "\x00"), full, true},
		"more than there can be":     {raw(full + full), full + "pp", true},
		"another family":             {binary.NativeEndian.AppendUint16(nil, 99), "", false},
	} {
		t.Run(name, func(t *testing.T) {
			var sa Sockaddr
			sa.SetUnix(strings.Repeat("x", UnixPathMax))
			sa.SetBytes(c.raw)
			if got, ok := sa.Unix(); got != c.want || ok != c.ok {
				t.Errorf("Unix() = %q, %v, want %q, %v", got, ok, c.want, c.ok)
			}
		})
	}
}

// An address that the kernel cut is none.
func TestShortAddress(t *testing.T) {
	var sa Sockaddr
	for n := range uint32(300) {
		for family, whole := range map[uint16]uint32{AFInet: inetSize, AFInet6: inet6Size} {
			b := make([]byte, storageSize)
			binary.NativeEndian.PutUint16(b, family)
			sa.SetBytes(b)
			sa.SetLen(n)
			if got := sa.AddrPort().IsValid(); got != (n >= whole) {
				t.Errorf("AddrPort() of %d bytes of family %d is valid: %v, want %v", n, family, got, n >= whole)
			}
		}
	}
}

// FuzzSockaddrBytes reads whatever a kernel or a buffer may hold.
func FuzzSockaddrBytes(f *testing.F) {
	f.Add([]byte{1, 0, 0, 'a'}, uint32(4))
	f.Add([]byte{2, 0, 1, 2, 127, 0, 0, 1}, uint32(400))
	f.Add([]byte{10, 0}, uint32(28))
	f.Fuzz(func(t *testing.T, b []byte, n uint32) {
		var sa Sockaddr
		sa.SetBytes(b)
		sa.SetLen(n)
		if name, ok := sa.Unix(); ok && name != "" && sa.SetUnix(name) {
			if again, _ := sa.Unix(); again != name && name != "@" { // a path: as an abstract name it is none
				t.Errorf("%q became %q", name, again)
			}
		}
		_, _ = sa.AddrPort(), sa.Scope()
	})
}
