//go:build linux

package uring

import (
	"runtime"
	"slices"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"ringo/internal/driver"
	"ringo/internal/mask"
	"ringo/internal/op"
	"ringo/uring"
)

// How sends are made goes by what the kernel can do, and Info says whether it is the best way.
func TestSendingByKernel(t *testing.T) {
	if m, _ := mask.Env(); m != nil {
		t.Skipf("%s stands for the kernel", m)
	}
	best := bySilences
	if releaseOf(goReport(t, nil).System, nil).before(release{6, 1}) {
		best = byEntries
	}
	for _, c := range []struct {
		without string
		sqPoll  time.Duration
		want    sending
	}{
		{"", 0, best}, {"silent_send", 0, byEntries}, {"cqe_skip", 0, byEntries},
		{"kernel=5.10", 0, byEntries}, {"kernel=5.15", 0, byEntries}, {"kernel=5.18", 0, byEntries},
		{"kernel=6.0", 0, byEntries}, {"kernel=6.1", 0, best}, {"op:send", 0, byCalls},
		{"", 50 * time.Millisecond, byCalls},
	} {
		t.Run(c.without, func(t *testing.T) {
			runtime.LockOSThread()
			defer runtime.UnlockOSThread()
			var out driver.Outbox
			d := opener(c.without)(t, driver.Config{Entries: 4, Slab: op.NewSlab(0), Now: func() int64 { return 0 },
				Outbox: &out, SQPoll: c.sqPoll})
			defer d.Close(new(driver.Queue))
			if got := d.(*ring).sending; got != c.want {
				t.Errorf("sends are made by way %d, want %d", got, c.want)
			}
			if got := slices.Contains(d.Info().Features, uring.CheckSilentSend); got != (c.want == bySilences) {
				t.Errorf("features: %v", d.Info().Features)
			}
			sendTwo(t, d, &out)
		})
	}
}

// sendTwo sends to a peer and to nobody.
func sendTwo(t *testing.T, d driver.Driver, out *driver.Outbox) {
	t.Helper()
	ends, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(ends[0])
	defer unix.Close(ends[1])
	out.Sends = append(out.Sends, driver.Send{FD: int32(ends[0]), Buf: []byte("hello")},
		driver.Send{FD: -1, Buf: []byte("nobody")})
	if err := d.Wait(driver.Forever, new(driver.Queue)); err != nil {
		t.Fatal(err)
	}
	if a, b := out.Sends[0].Res, out.Sends[1].Res; a != 5 || b != -int32(unix.EBADF) || !out.Short {
		t.Errorf("the sends gave %d and %d (short: %t)", a, b, out.Short)
	}
	b := make([]byte, 8)
	if n, _ := unix.Read(ends[1], b); string(b[:max(n, 0)]) != "hello" {
		t.Errorf("the peer read %q", b[:max(n, 0)])
	}
	if st := d.Info().Stats; st.Sends != 2 || st.ShortSends != 1 {
		t.Errorf("%d sends, %d short; want 2 and 1", st.Sends, st.ShortSends)
	}
}
