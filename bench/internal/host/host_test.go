//go:build linux

package host

import (
	"slices"
	"testing"
)

func TestDescribe(t *testing.T) {
	h := Describe()
	if h.CPU == "" || h.CPUs < 1 || h.Kernel == "" || h.MemoryGiB <= 0 {
		t.Errorf("this machine is %+v", h)
	}
}

func TestFieldIsTheFirstProcessors(t *testing.T) {
	const info = "processor\t: 0\nmodel name\t: A: B\nflags\t\t: fpu hypervisor\n\nprocessor\t: 1\nmodel name\t: C\n"
	if got := field(info, "model name"); got != "A: B" {
		t.Errorf("model name is %q, want A: B", got)
	}
	if got := field(info, "bogomips"); got != "" {
		t.Errorf("a field that is not there is %q", got)
	}
}

func TestParseCharges(t *testing.T) {
	c, err := parse("getppid 115.5\nwake 3000\n")
	if err != nil || c["getppid"] != 115.5 || c["wake"] != 3000 || len(c) != 2 {
		t.Errorf("got %v, %v", c, err)
	}
	for _, bad := range []string{"", "getppid\n", "getppid -1\n", "getppid x\n"} {
		if c, err := parse(bad); err == nil {
			t.Errorf("%q gives %v", bad, c)
		}
	}
}

func TestChargesHaveNames(t *testing.T) {
	var names []string
	for _, c := range ChargeNames {
		if c.Name == "" || c.Title == "" || slices.Contains(names, c.Name) {
			t.Errorf("charge %+v", c)
		}
		names = append(names, c.Name)
	}
}
