package debug

import (
	"errors"
	"net/http/httptest"
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

// What refuses a request for its parameters does so before it makes the answer, which may take long.
func TestParametersAreCheckedFirst(t *testing.T) {
	for name := range answers {
		usual := answers[name]
		made := 0
		counts := usual
		counts.make = func(q *query) (any, error) {
			made++
			return usual.make(q)
		}
		answers[name] = counts
		w := httptest.NewRecorder()
		Handler().ServeHTTP(w, httptest.NewRequest("GET", "/api/"+name+"?x", nil))
		answers[name] = usual
		if w.Code != 400 || made != 0 {
			t.Errorf("%s: code %d, and %d answers were made", name, w.Code, made)
		}
	}
}
