//go:build linux

package uring

import (
	"testing"
	"time"
)

// A ringCase is a behaviour of the kernel, run on a ring of its own.
type ringCase struct {
	name string
	run  func(t *testing.T, r *Ring)
}

func runCases(t *testing.T, cases []ringCase) {
	t.Helper()
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) { c.run(t, open(t, 64, nil)) })
	}
}

// runBoth runs the cases also on a ring that has a thread of the kernel's submit.
func runBoth(t *testing.T, cases []ringCase) {
	t.Helper()
	runCases(t, cases)
	for _, c := range cases {
		t.Run(c.name+" by SQPOLL", func(t *testing.T) {
			c.run(t, open(t, 64, &Config{SQPoll: true, SQPollIdle: time.Millisecond}))
		})
	}
}

// wantAll fails the test unless the results are these, in the order of the entries.
func wantAll(t testing.TB, cqes []CQE, results ...any) {
	t.Helper()
	for i, c := range cqes {
		t.Logf("entry %d: %s", i, result(c.Res))
	}
	for i, c := range cqes {
		want(t, c, results[i])
	}
}

// flagged is an entry with flags added.
func flagged(prep func(e *SQE), f SQEFlags) func(e *SQE) {
	return func(e *SQE) {
		prep(e)
		e.SetFlags(f)
	}
}

// takeAll waits for n CQEs and returns them in the order in which they were made.
func takeAll(t testing.TB, r *Ring, n int) (list []CQE) {
	t.Helper()
	for len(list) < n {
		if _, err := r.Wait(1, waitMax); err != nil {
			t.Fatalf("%v, after %d CQEs of %d: %+v", err, len(list), n, list)
		}
		for c, ok := r.CQE(); ok; c, ok = r.CQE() {
			list = append(list, c)
		}
	}
	return list
}
