//go:build linux

package seccomptest

import (
	"slices"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// run interprets a filter as the kernel does, for the instructions we use.
func run(t *testing.T, prog []unix.SockFilter, arch, number uint32) uint32 {
	t.Helper()
	data := map[uint32]uint32{offNumber: number, offArch: arch}
	var a uint32
	for pc := 0; pc < len(prog); pc++ {
		i := prog[pc]
		jump := func(yes bool) {
			if yes {
				pc += int(i.Jt)
			} else {
				pc += int(i.Jf)
			}
		}
		switch i.Code {
		case 0x20: // ld [k]
			word, ok := data[i.K]
			if !ok {
				t.Fatalf("instruction %d loads offset %d", pc, i.K)
			}
			a = word
		case 0x15: // jeq #k
			jump(a == i.K)
		case 0x35: // jge #k
			jump(a >= i.K)
		case 0x06: // ret #k
			return i.K
		default:
			t.Fatalf("instruction %d: unknown code %#x", pc, i.Code)
		}
	}
	t.Fatal("the program runs off its end, which the kernel would refuse")
	return 0
}

func TestFilter(t *testing.T) {
	const (
		allow = 0x7fff0000
		errno = 0x00050000
		kill  = 0x80000000
	)
	rules := []Rule{{425, syscall.EPERM}, {426, syscall.ENOSYS}, {0, syscall.EBUSY}}
	for _, c := range []struct {
		name         string
		filter, arch uint32
		number       uint32
		want         uint32
	}{
		{"amd64, first rule", 0xc000003e, 0xc000003e, 425, errno | 1},
		{"amd64, second rule", 0xc000003e, 0xc000003e, 426, errno | 38},
		{"amd64, call 0", 0xc000003e, 0xc000003e, 0, errno | 16},
		{"amd64, no rule", 0xc000003e, 0xc000003e, 427, allow},
		{"amd64, x32's call", 0xc000003e, 0xc000003e, 0x40000000 | 425, kill},
		{"amd64, 386's call", 0xc000003e, 0x40000003, 425, kill},
		{"386, rule", 0x40000003, 0x40000003, 425, errno | 1},
		{"386, no rule", 0x40000003, 0x40000003, 1, allow},
		{"386, amd64's call", 0x40000003, 0xc000003e, 1, kill},
		{"arm64, rule", 0xc00000b7, 0xc00000b7, 426, errno | 38},
		{"arm64, no rule", 0xc00000b7, 0xc00000b7, 424, allow},
	} {
		if got := run(t, assemble(c.filter, rules), c.arch, c.number); got != c.want {
			t.Errorf("%s: %#x, want %#x", c.name, got, c.want)
		}
	}
	for arch, number := range map[string]uint32{"amd64": 0xc000003e, "386": 0x40000003, "arm64": 0xc00000b7} {
		if auditArch[arch] != number {
			t.Errorf("%s: architecture %#x, want %#x", arch, auditArch[arch], number)
		}
	}
}

func TestPolicyRoundTrip(t *testing.T) {
	want := []Rule{{0, 1}, {425, syscall.EPERM}, {1 << 31, errnoMax}}
	got, err := decode(Deny(want...).encode())
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("got %v, %v, want %v", got, err, want)
	}
	for _, text := range []string{"", "425", "425=", "=1", "425=1,", "425=x", "-1=1", "1=70000"} {
		if rules, err := decode(text); err == nil {
			t.Errorf("decode(%q) = %v, want an error", text, rules)
		}
	}
}

func TestDenyPanics(t *testing.T) {
	for name, rules := range map[string][]Rule{
		"no rules":       {},
		"errno 0":        {{425, 0}},
		"errno too high": {{425, 4096}},
		"too many":       make([]Rule, rulesMax+1),
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: no panic", name)
				}
			}()
			Deny(rules...)
		}()
	}
}
