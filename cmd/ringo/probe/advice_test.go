package probe

import (
	"strings"
	"testing"

	"ringo/uring"
)

// TestAdviseRefused: a refusal's own advice is passed on, and one that has none has a newer kernel.
func TestAdviseRefused(t *testing.T) {
	t.Parallel()
	for want, refusal := range map[string]uring.Refusal{
		"ask nicely; say please": {Advice: []string{"ask nicely", "say please"}},
		"Linux 6.1 or newer":     {Step: "io_uring_setup"},
	} {
		f := &Finding{Uring: &uring.Report{Refusal: &refusal}}
		if got := strings.Join(f.advise(), "; "); got != want {
			t.Errorf("advice %q, want %q", got, want)
		}
	}
}

// TestAdviseLacking: what an older kernel lacks is named, with the kernel that has it all.
func TestAdviseLacking(t *testing.T) {
	t.Parallel()
	r := &uring.Report{Usable: true}
	for _, name := range wanted {
		r.Checks = append(r.Checks, uring.Offer{Name: name, OK: true})
	}
	if since, names := lacking(r); since != "" || len(names) != 0 {
		t.Errorf("lacking %q %q of all that is wanted", since, names)
	}
	for i, o := range r.Checks {
		switch o.Name {
		case "DEFER_TASKRUN":
			r.Checks[i] = uring.Offer{Name: o.Name, Since: "6.1"}
		case uring.CheckExtArg:
			r.Checks[i] = uring.Offer{Name: o.Name, Since: "5.11"}
		}
	}
	since, names := lacking(r)
	if since != "6.1" || strings.Join(names, " ") != "DEFER_TASKRUN ext_arg" {
		t.Errorf("lacking %q %q", since, names)
	}
	if !newer("6.10", "6.9") || newer("5.19", "6.0") || newer("6.1", "6.1") {
		t.Error("versions are compared as text")
	}
}
