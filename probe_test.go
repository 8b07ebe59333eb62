package ringo_test

import (
	"context"
	"errors"
	"os"
	"slices"
	"testing"

	"ringo"
	"ringo/uring"
)

// Each word that Drivers has is one that Config.Driver takes, whether the driver works here or not.
func TestDrivers(t *testing.T) {
	all := ringo.Drivers()
	if len(all) < 2 || all[0] != "auto" || !slices.Contains(all, "epoll") {
		t.Fatalf("Drivers = %q", all)
	}
	for _, name := range all {
		err := ringo.Run(context.Background(), &ringo.Config{Driver: name, Loops: 1}, func(l *ringo.Loop) error {
			if got := l.Info().Name; got == "auto" || !slices.Contains(all, got) {
				t.Errorf("%s runs on %q, which is none of %q", name, got, all)
			}
			return nil
		})
		if setup := (*ringo.SetupError)(nil); err != nil && !errors.As(err, &setup) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A kernel's defects are told by the release in a report.
func TestDefects(t *testing.T) {
	if os.Getenv("RINGO_MASK") != "" {
		t.Skip("the mask's release counts")
	}
	if m := ringo.Defects(&uring.Report{System: "linux 6.7.0 amd64", Usable: true}); len(m) != 1 ||
		m[0].Check != uring.CheckAcceptMultishot || m[0].Until != "6.8" || m[0].Why == "" {
		t.Errorf("of Linux 6.7: %+v", m)
	}
	for _, r := range []*uring.Report{nil, {System: "linux 6.7.0 amd64"}, {System: "linux 6.8.0 amd64", Usable: true}} {
		if m := ringo.Defects(r); len(m) != 0 {
			t.Errorf("of %+v: %+v", r, m)
		}
	}
}
