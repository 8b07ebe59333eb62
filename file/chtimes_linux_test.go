//go:build linux

package file_test

import (
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"ringo"
	"ringo/file"
)

// The times of a file may lie where nanoseconds in an int64 don't reach, which os does not take.
func TestChtimesFar(t *testing.T) {
	eachCaller(t, func(t *testing.T, _ *ringo.Loop) {
		dir := tempDir(t)
		theirs, ours := filled(t, dir, 1), dir+"/ours"
		f, err := file.Create(ours)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		for _, when := range []time.Time{time.Date(2300, 1, 1, 0, 0, 0, 7, time.UTC), time.Unix(1, 5),
			time.Date(1910, 1, 1, 0, 0, 0, 0, time.UTC)} {
			spec, err := unix.TimeToTimespec(when)
			if err != nil {
				continue // on 32 bits there are no such times
			}
			if err := unix.UtimesNanoAt(unix.AT_FDCWD, theirs, []unix.Timespec{spec, spec}, 0); err != nil {
				t.Fatal(err)
			}
			if err := f.Chtimes(when, when); err != nil {
				t.Errorf("Chtimes to %v: %v", when, err)
			}
			want, err := statOf(theirs)
			got, err2 := statOf(ours)
			if err != nil || err2 != nil || !got.ModTime().Equal(want.ModTime()) {
				t.Errorf("Chtimes to %v: the file was changed at %v, want %v", when, got.ModTime(), want.ModTime())
			}
		}
	})
}
