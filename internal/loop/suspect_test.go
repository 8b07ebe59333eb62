package loop

import (
	"strings"
	"testing"
)

// Small objects of strangers lie side by side: addresses that are near say something only if one package's functions
// were given them. The same address says it in any.
func TestRelationByAddresses(t *testing.T) {
	const holder = `goroutine 7 [sync.Mutex.Lock, locked to thread]:
sync.runtime_SemacquireMutex(0x843360?, 0x0?, 0x0?)
	/go/src/runtime/sema.go:95 +0x25
internal/sync.(*Mutex).lockSlow(0xc0000186a0)
	/go/src/internal/sync/mutex.go:149 +0x15d
shop.lockBoth(0xc000038608?, 0x0?, 0xc000018690)
	/src/shop/lock.go:25 +0x7c
`
	for _, c := range []struct {
		name, stack string
		want        relation
	}{
		{"near, in another package", "testing.runTests(0xc0000186a8)\n\t/a.go:1\nshop.TestMain(0xc0000163c0)",
			samePackage},
		{"the same, in another package", "stock.take(0xc0000186a0)", sameObject},
		{"near, in a function of the package", "shop.serve(0xc0000186b0)", sameObject},
		{"near, and sync's, called by the package",
			"internal/sync.(*Mutex).lockSlow(0xc0000186a8)\n\t/a.go:1\nshop.serve()", sameObject},
		{"near, and sync's, called by a stranger",
			"internal/sync.(*Mutex).lockSlow(0xc0000186a8)\n\t/a.go:1\nstock.take()", strangers},
		{"far, in a function of the package", "shop.serve(0xc000019000)", samePackage},
	} {
		h := newSuspect(parseGoroutine([]byte(strings.TrimSpace(holder))))
		o := newSuspect(parseGoroutine([]byte("goroutine 1 [chan receive]:\n" + c.stack + "\n\t/b.go:2")))
		if got := h.relationTo(o); got != c.want {
			t.Errorf("%s: relation %d, want %d", c.name, got, c.want)
		}
	}
}
