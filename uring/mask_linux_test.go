//go:build linux

package uring

import (
	"slices"
	"strings"
	"testing"

	"ringo/internal/mask"
	"ringo/internal/seam"
)

// The names that a report shows are those that a mask takes.
func TestMaskNames(t *testing.T) {
	for code := range opNames {
		if got := mask.OpName(uint8(code)); got != strings.ToLower(opNames[code]) {
			t.Errorf("opcode %d is %q to the mask and %q here", code, got, opNames[code])
		}
	}
	if mask.OpName(uint8(len(opNames))) != "" {
		t.Error("the mask knows more opcodes than this package")
	}
	known := mask.Known()
	for _, c := range selfTests {
		if c.name != CheckMsgRing && !slices.Contains(known, c.name) {
			t.Errorf("the mask has no %s", c.name)
		}
	}
	for _, try := range setupTries {
		name := strings.ToLower(try.name)
		if !slices.Contains(known, name) &&
			!slices.Contains([]string{"iopoll", "sqpoll", "sqe_mixed", "sq_rewind"}, name) {
			t.Errorf("the mask has no %s", name)
		}
	}
}

// Under a mask the kernel is what it was: a probe finds no more and no less than
// there was in that release, as far as this kernel has it.
func TestMaskedProbe(t *testing.T) {
	need(t)
	now, err := ProbeFor(&Config{}, allChecks()...)
	if err != nil {
		t.Fatal(err)
	}
	if m, _ := mask.Env(); m != nil {
		t.Skipf("%s masks already", m)
	}
	for _, release := range []string{"5.6", "5.10", "5.15", "5.19", "6.0", "6.1", "6.6", "6.12"} {
		t.Run(release, func(t *testing.T) {
			m, err := mask.Parse("kernel=" + release)
			if err != nil {
				t.Fatal(err)
			}
			r, err := ProbeFor(&Config{seam: seam.Seam{Mask: m}}, allChecks()...)
			if err != nil {
				t.Fatal(err)
			}
			if !r.Usable {
				t.Fatalf("not usable: %+v", r.Refusal)
			}
			for i, c := range r.Checks {
				want := now.Checks[i].OK && (c.Since == "" || !newer(c.Since, release))
				if c.OK != want {
					t.Errorf("%s, of %s: %t, %s; want %t", c.Name, c.Since, c.OK, c.Error, want)
				}
			}
			for code := range opNames {
				masked := slices.Contains(m.Names(), "op:"+mask.OpName(uint8(code)))
				if want := now.Ops.Has(Op(code)) && !masked; r.Ops.Has(Op(code)) != want {
					t.Errorf("%s: %t, want %t", opNames[code], !want, want)
				}
			}
		})
	}
}

func allChecks() (all []string) {
	for _, c := range selfTests {
		all = append(all, c.name)
	}
	return all
}

// newer compares releases.
func newer(a, b string) bool {
	pad := func(s string) string {
		major, minor, _ := strings.Cut(s, ".")
		return major + "." + strings.Repeat("0", 3-len(minor)) + minor
	}
	return pad(a) > pad(b)
}

// One thing alone can be masked, and the rest stays.
func TestMaskedAlone(t *testing.T) {
	need(t)
	for name, check := range map[string]string{
		"ext_arg": CheckExtArg, "ring_fd": CheckRingFD, "multishot_poll": CheckPollMultishot,
		"cancel_fd": CheckCancelFD, "multishot_accept": CheckAcceptMultishot, "buf_ring": CheckBufRing,
		"multishot_recv": CheckRecvMultishot, "op:msg_ring": CheckMsgRing, "sync_cancel": CheckSyncCancel,
		"op:accept": CheckAcceptMultishot,
	} {
		m, err := mask.Parse(name)
		if err != nil {
			t.Fatal(err)
		}
		r, err := ProbeFor(&Config{seam: seam.Seam{Mask: m}}, check)
		if err != nil {
			t.Fatal(err)
		}
		if err := r.Require(check); err == nil {
			t.Errorf("%s is masked, and %s passes", name, check)
		}
	}
	m, _ := mask.Parse("io_uring")
	if r, err := ProbeFor(&Config{seam: seam.Seam{Mask: m}}); err != nil || r.Usable {
		t.Errorf("io_uring is masked, and usable: %v", err)
	}
	m, _ = mask.Parse("no_sqarray,defer_taskrun")
	r := open(t, 8, &Config{seam: seam.Seam{Mask: m}})
	if r.Flags()&(SetupNoSQArray|SetupDeferTaskrun) != 0 {
		t.Errorf("the ring has %v", r.Flags())
	}
}
