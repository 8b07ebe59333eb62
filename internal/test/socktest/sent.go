//go:build linux

package socktest

import "fmt"

// sent is what two writers, one waiting for the other, have sent after the bytes that were there before. Each of them
// sends the stream from that same place on, so that the second repeats what the first began with.
type sent struct {
	in       int // how many bytes were there before
	ahead, n int // how many bytes the first and the second writer sent, according to their calls
	more     bool
	less     bool
}

// check checks that got is those bytes and nothing else. With more, each writer may have sent more than its call says;
// with less, bytes at the end may be lost.
func (s *sent) check(got []byte) error {
	want := s.in + s.ahead + s.n
	if len(got) > want && !s.more || len(got) < want && !s.less {
		return fmt.Errorf("%d bytes came behind %d, and the calls sent %d and %d", len(got)-s.in, s.in, s.ahead, s.n)
	}
	same := Mismatch(got, 0) // the first writer may have sent everything up to there
	if same < 0 {
		same = len(got)
	}
	for first := same; s.more && first > s.in+s.ahead; first-- {
		if len(got)-first >= s.n && Mismatch(got[first:], s.in) < 0 {
			return nil
		}
	}
	first := min(s.in+s.ahead, len(got))
	if at := Mismatch(got[:first], 0); at >= 0 {
		return fmt.Errorf("the byte at %d of %d is not the stream's", at, len(got))
	}
	if at := Mismatch(got[first:], s.in); at >= 0 {
		return fmt.Errorf("the byte at %d of %d is not the stream's from %d on, which begins at %d", first+at-s.in,
			len(got), s.in, first)
	}
	return nil
}
