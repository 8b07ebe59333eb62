package sockhttp

import (
	"slices"
	"testing"
)

// What was sent counts as looked at: whole chunks since they were sent, one that was sent in two parts
// since the first of them, and none that was not warm before.
func TestWarmthPassed(t *testing.T) {
	const c, old, before, now = chunkBytes, 5, 10, 20
	for _, tt := range []struct {
		name         string
		off, n, size int64
		want         [4]int64 // since, by chunk
	}{
		{"nothing", 0, 0, 4 * c, [4]int64{old, old, 0, old}},
		{"less than a chunk", 0, c - 1, 4 * c, [4]int64{old, old, 0, old}},
		{"one", 0, c, 4 * c, [4]int64{now, old, 0, old}},
		{"a bit more", 0, c + 1, 4 * c, [4]int64{now, old, 0, old}},
		{"the end of one", 1, c - 1, 4 * c, [4]int64{before, old, 0, old}},
		{"the end of one and another", c - 1, c + 1, 4 * c, [4]int64{before, now, 0, old}},
		{"one that was not warm", c, 2 * c, 4 * c, [4]int64{old, now, 0, old}},
		{"all", 0, 4 * c, 4 * c, [4]int64{now, now, 0, now}},
		{"all but the last byte", 0, 4*c - 101, 4*c - 100, [4]int64{now, now, 0, old}},
		{"a short last one", 3 * c, c - 100, 4*c - 100, [4]int64{old, old, 0, now}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			o := &openFile{size: tt.size, warmth: warmth{chunks: []chunk{{0, old}, {1, old}, {2, 0}, {3, old}}}}
			o.passed(tt.off, tt.n, before, now)
			var got []int64
			for _, c := range o.chunks {
				got = append(got, c.since)
			}
			if !slices.Equal(got, tt.want[:]) {
				t.Errorf("%v, want %v", got, tt.want)
			}
		})
	}
	t.Run("never back", func(t *testing.T) {
		o := &openFile{size: c, warmth: warmth{chunks: []chunk{{0, now}}}}
		if o.passed(1, c-1, 0, now+1); o.chunks[0].since != now {
			t.Errorf("%d, want %d", o.chunks[0].since, now)
		}
	})
	t.Run("another's slot", func(t *testing.T) {
		o := &openFile{size: 4 * c, warmth: warmth{chunks: []chunk{{2, old}, {3, old}}}}
		if o.passed(0, 2*c, before, now); o.chunks[0].since != old || o.chunks[1].since != old {
			t.Errorf("%v, want them as they were", o.chunks)
		}
	})
}

// After a piece for which there was no room the next is smaller, and never so small that it would not
// be worth a call.
func TestRoomAfter(t *testing.T) {
	for _, tt := range []struct{ n, of, want int64 }{
		{1, 1, pieceMax}, {pieceMax, pieceMax, pieceMax}, {0, 1, pieceMin}, {1 << 20, pieceMax, 2 << 20},
		{3 << 20, pieceMax, pieceMax}, {10, 1 << 20, pieceMin},
	} {
		if got := roomAfter(tt.n, tt.of); got != tt.want {
			t.Errorf("after %d of %d: %d, want %d", tt.n, tt.of, got, tt.want)
		}
	}
}
