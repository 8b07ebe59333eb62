package debug

import (
	"errors"
	"testing"

	"ringo/uring"
)

// What may be for a shortage passes, an error or a refusal, and the answer behind it stays.
func TestProbeIsTriedAgain(t *testing.T) {
	short, fine := errors.New("too many open files"), &Report{Uring: &uring.Report{Usable: true}}
	refused := &Report{Uring: &uring.Report{Refusal: &uring.Refusal{Error: short.Error()}}}
	noAIO := &Report{Uring: fine.Uring, AIO: short.Error()}
	answers := []struct {
		r   *Report
		err error
	}{{nil, short}, {refused, nil}, {noAIO, nil}, {fine, nil}, {new(Report), nil}}
	calls := 0
	p := prober{find: func() (*Report, error) {
		calls++
		return answers[calls-1].r, answers[calls-1].err
	}}
	for i := range answers {
		want := answers[min(i, 3)]
		if r, err := p.get(); r != want.r || err != want.err {
			t.Errorf("answer %d: %+v, %v, want %+v, %v", i, r, err, want.r, want.err)
		}
	}
	if calls != 4 {
		t.Errorf("the kernel was asked %d times, want 4", calls)
	}
}
