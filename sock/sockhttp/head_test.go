package sockhttp

import (
	"math/rand/v2"
	"strings"
	"testing"
)

// The end of a head is found wherever its bytes are cut, and no byte is looked at much more than once.
func TestHeadEnd(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 2000 {
		var b strings.Builder
		for range r.IntN(12) {
			b.WriteString([]string{"a", "\n", "\r\n", "\r", "bc"}[r.IntN(5)])
		}
		text := b.String()
		want := len(text)
		for _, end := range []string{"\n\n", "\n\r\n"} {
			if i := strings.Index(text, end); i >= 0 {
				want = min(want, i+len(end))
			}
		}
		whole := want < len(text) || strings.HasSuffix(text, "\n\n") || strings.HasSuffix(text, "\n\r\n")
		from, end := 0, 0
		for n := 1; n <= len(text) && end == 0; n++ {
			end, from = headEnd([]byte(text[:n]), from)
			if end == 0 && n-from > 2 {
				t.Fatalf("%q: of %d bytes a later look begins at %d", text, n, from)
			}
		}
		if whole && end != want || !whole && end != 0 {
			t.Fatalf("%q ends at %d, want %d (whole: %v)", text, end, want, whole)
		}
	}
}
