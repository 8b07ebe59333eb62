//go:build linux

package logstore

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"sync"
	"testing"

	"ringo"
)

// On a real disk, by package file and package os, and both on one log: goroutines and tasks append, the store is opened
// again, and everything is there.
func TestOnDisk(t *testing.T) {
	dir := t.TempDir()
	value := func(key string) []byte { return []byte(strings.Repeat(key, len(key)*100)) }
	wanted := 0
	for round, open := range []func() (*Store, error){
		func() (*Store, error) { return Open(dir, nil) },
		func() (*Store, error) { return OpenFS(osFolder(dir), nil) },
		func() (*Store, error) { return OpenFS(cachedFolder{osFolder(dir)}, nil) },
		func() (*Store, error) { return Open(dir, nil) },
	} {
		s, err := open()
		if err != nil {
			t.Fatal(err)
		}
		if len(s.index) != wanted {
			t.Errorf("round %d: %d records were found, want %d", round, len(s.index), wanted)
		}
		add := func(ctx context.Context, who int) error {
			for i := range 10 {
				key := fmt.Sprintf("%d/%d/%d", round, who, i)
				if _, err := s.Append(ctx, key, value(key)); err != nil {
					return err
				}
			}
			return nil
		}
		var ends sync.WaitGroup
		for who := range 4 {
			ends.Go(func() {
				if err := add(t.Context(), who); err != nil {
					t.Error(err)
				}
			})
		}
		err = ringo.Run(t.Context(), &ringo.Config{Loops: 1}, func(l *ringo.Loop) error {
			g := ringo.NewGroup(l)
			for who := range 4 {
				g.Go(func() error { return add(l.Context(), 4+who) })
			}
			return g.Wait()
		})
		if err != nil {
			t.Error(err)
		}
		ends.Wait()
		wanted += 80
		for key := range s.index {
			get(t, s, key, string(value(key)))
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
}

// A folder that is not there is no new store.
func TestNoFolder(t *testing.T) {
	if s, err := Open(t.TempDir()+"/no", nil); err == nil {
		s.Close()
		t.Error("Open made a folder")
	} else if !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
}
