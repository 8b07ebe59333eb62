package file_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"ringo"
	"ringo/file"
)

func TestLock(t *testing.T) {
	everywhere(t, func(t *testing.T, l *ringo.Loop, dir string) {
		name := filepath.Join(dir, "file")
		f, err := file.Create(name)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		g, err := file.OpenFile(name, os.O_RDWR, 0)
		if err != nil {
			t.Fatal(err)
		}
		defer g.Close()
		ctx, whole, part := t.Context(), file.Range{}, file.Range{Off: 10, Len: 5}
		want := func(what string, f *file.File, r file.Range, shared, want bool) {
			t.Helper()
			if ok, err := f.TryLock(r, shared); ok != want || err != nil {
				t.Errorf("%s: TryLock = %v, %v, want %v", what, ok, err, want)
			}
		}
		if err := f.Lock(ctx, part, false); err != nil {
			t.Fatal(err)
		}
		want("another's part", g, part, true, false)
		want("with another's part", g, whole, false, false)
		want("beside it", g, file.Range{Off: 15}, false, true)
		want("its own", f, part, true, true)
		want("shared by both", g, part, true, true)
		for _, f := range []*file.File{f, g} {
			if err := f.Unlock(whole); err != nil {
				t.Errorf("Unlock: %v", err)
			}
		}

		// Lock waits for who has it, and no longer than its context.
		if err := f.Lock(ctx, whole, false); err != nil {
			t.Fatal(err)
		}
		short, cancel := context.WithTimeout(ctx, 20*time.Millisecond)
		defer cancel()
		if err := g.Lock(short, part, true); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Lock of another's: %v, want DeadlineExceeded", err)
		}
		held := true
		join := begin(l, func() {
			if err := g.Lock(ctx, part, true); err != nil || held {
				t.Errorf("Lock = %v, and it was held: %v", err, held)
			}
			g.Unlock(whole)
		})
		pause(l)
		held = false
		if err := f.Unlock(whole); err != nil {
			t.Error(err)
		}
		join()
	})
}
