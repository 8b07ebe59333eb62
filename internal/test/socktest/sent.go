//go:build linux

package socktest

import "fmt"

// sent is what two writers, one behind the other, have sent behind what was there before: each the stream from there
// on, so that the second begins where the first has begun.
type sent struct {
	in       int // what was there before
	ahead, n int // what the first writer sent, and the second, as their calls say
	more     bool
	less     bool
}

// check looks at what came: all of that and nothing else. Each may have sent more than its call says, if more; and
// what came last may be lost, if less.
func (s *sent) check(got []byte) error {
	want := s.in + s.ahead + s.n
	if len(got) > want && !s.more || len(got) < want && !s.less {
		return fmt.Errorf("%d bytes came behind %d, and the calls sent %d and %d", len(got)-s.in, s.in, s.ahead, s.n)
	}
	same := Mismatch(got, 0) // up to there all may be the first writer's
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
