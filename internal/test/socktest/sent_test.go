//go:build linux

package socktest

import "testing"

// What came of two writers is what they sent and nothing else, each in its order.
func TestSent(t *testing.T) {
	const in = 300
	came := func(first, second int) []byte { return append(stream(0, in+first), stream(in, second)...) }
	flipped := func(p []byte, at int) []byte { p[at] ^= 1; return p }
	for _, c := range []struct {
		name string
		sent
		got  []byte
		want bool
	}{
		{"the second alone", sent{in: in, n: 1000}, came(0, 1000), true},
		{"the first alone", sent{in: in, ahead: 1000}, came(1000, 0), true},
		{"both", sent{in: in, ahead: 400, n: 1000}, came(400, 1000), true},
		{"in one stream", sent{in: in, ahead: 400, n: 1000}, came(1400, 0), false},
		{"one byte less", sent{in: in, ahead: 400, n: 1000}, came(400, 999), false},
		{"one byte more", sent{in: in, ahead: 400, n: 1000}, came(400, 1001), false},
		{"one of the first's is missing", sent{in: in, ahead: 400, n: 1000}, came(399, 1001), false},
		{"wrong before", sent{in: in, ahead: 400, n: 1000}, flipped(came(400, 1000), 7), false},
		{"wrong in the first's", sent{in: in, ahead: 400, n: 1000}, flipped(came(400, 1000), in+399), false},
		{"wrong in the second's", sent{in: in, ahead: 400, n: 1000}, flipped(came(400, 1000), in+1399), false},
		{"lost", sent{in: in, ahead: 400, n: 1000, less: true}, came(400, 10), true},
		{"lost of the first's", sent{in: in, ahead: 400, n: 1000, less: true}, came(300, 0), true},
		{"lost in the middle", sent{in: in, ahead: 400, n: 1000, less: true}, came(300, 10), false},
		{"more of the first's", sent{in: in, ahead: 400, more: true}, came(500, 0), true},
		{"more of the second's", sent{in: in, ahead: 400, n: 5, more: true}, came(400, 500), true},
		{"more of both", sent{in: in, ahead: 400, n: 5, more: true}, came(500, 500), true},
		{"less of the second's", sent{in: in, ahead: 400, n: 50, more: true}, came(500, 49), false},
		{"less of the first's", sent{in: in, ahead: 400, n: 50, more: true}, came(300, 500), false},
		{"more, and wrong", sent{in: in, ahead: 400, more: true}, flipped(came(500, 500), in+700), false},
	} {
		if err := c.check(c.got); (err == nil) != c.want {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}
