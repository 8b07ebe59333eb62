package logstore

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"ringo"
)

func open(t testing.TB, d *disk, cfg *Config) *Store {
	t.Helper()
	s, err := OpenFS(d, cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func get(t *testing.T, s *Store, key, want string) {
	t.Helper()
	if v, err := s.Get(key); err != nil || string(v) != want {
		t.Errorf("Get(%q) = %q, %v; want %q", key, v, err, want)
	}
}

func TestStore(t *testing.T) {
	d := newDisk()
	s := open(t, d, nil)
	ctx := t.Context()
	if _, err := s.Get("a"); !errors.Is(err, ErrNotFound) || !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Get in an empty store: %v", err)
	}
	one, err := s.Append(ctx, "a", []byte("one"))
	if err != nil {
		t.Fatal(err)
	}
	two, err := s.Append(ctx, "a", []byte("two"))
	if err != nil || two <= one {
		t.Errorf("the second record is at %d, %v; the first at %d", two, err, one)
	}
	if _, err := s.Append(ctx, "b", nil); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		get(t, s, "a", "two")
		get(t, s, "b", "")
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		if err := s.Close(); err != nil {
			t.Error("the second Close:", err)
		}
		if _, err := s.Append(ctx, "a", nil); !errors.Is(err, ErrClosed) {
			t.Error("Append after Close:", err)
		}
		if _, err := s.Get("a"); !errors.Is(err, ErrClosed) {
			t.Error("Get after Close:", err)
		}
		s = open(t, d, nil)
	}
}

func TestBadInput(t *testing.T) {
	for _, cfg := range []Config{{Batch: -1}, {Batch: 63}, {Batch: 16<<20 + 1}, {Queue: -1}} {
		if s, err := OpenFS(newDisk(), &cfg); err == nil {
			t.Errorf("Open took Config%+v", cfg)
			s.Close()
		}
	}
	s := open(t, newDisk(), &Config{Batch: 64})
	for _, c := range []struct {
		key, value string
		ok         bool
	}{{"", "v", false}, {"k", "", true}, {"0123456789", "01234567890123456789012345", true},
		{"0123456789", "012345678901234567890123456", false}} {
		_, err := s.Append(t.Context(), c.key, []byte(c.value))
		if (err == nil) != c.ok {
			t.Errorf("Append of a key of %d bytes and a value of %d, to batches of 64: %v", len(c.key), len(c.value),
				err)
		}
	}
}

// stuck is a disk whose first write of a record waits until the test lets it go.
func stuck(t *testing.T, cfg *Config) (s *Store, writing <-chan struct{}, goOn func()) {
	d := newDisk()
	s = open(t, d, cfg)
	began, gate := make(chan struct{}), make(chan struct{})
	var once sync.Once
	d.fault = func(c call) deed {
		if c.kind == "write" {
			once.Do(func() { close(began) })
			<-gate
		}
		return proceed
	}
	goOn = sync.OnceFunc(func() { close(gate) })
	t.Cleanup(goOn)
	return s, began, goOn
}

// waits returns when n records are in line.
func waits(s *Store, n int) {
	for length := -1; length != n; {
		s.mu.Lock()
		length = len(s.queue)
		s.mu.Unlock()
	}
}

// A context ends the wait. The record that was not begun is not in the log; of the other the error says that it may be.
func TestContexts(t *testing.T) {
	s, writing, goOn := stuck(t, nil)
	type result struct {
		key string
		err error
	}
	results := make(chan result)
	add := func(ctx context.Context, key string) {
		go func() {
			_, err := s.Append(ctx, key, []byte(key))
			results <- result{key, err}
		}()
	}
	ctx, cancel := context.WithCancel(t.Context())
	add(ctx, "begun")
	<-writing
	add(ctx, "waiting")
	waits(s, 1)
	add(t.Context(), "patient")
	waits(s, 2)
	cancel()
	for range 2 {
		r := <-results
		if !errors.Is(r.err, context.Canceled) || errors.Is(r.err, ErrInDoubt) != (r.key == "begun") {
			t.Errorf("%s: %v", r.key, r.err)
		}
	}
	if _, err := s.Append(ctx, "late", nil); !errors.Is(err, context.Canceled) {
		t.Errorf("Append with a context that has ended: %v", err)
	}
	goOn()
	if r := <-results; r.err != nil {
		t.Errorf("%s: %v", r.key, r.err)
	}
	get(t, s, "begun", "begun")
	get(t, s, "patient", "patient")
	for _, key := range []string{"waiting", "late"} {
		if _, err := s.Get(key); !errors.Is(err, ErrNotFound) {
			t.Errorf("%q was given up before it was begun, and Get gives %v", key, err)
		}
	}
}

// The line is bounded.
func TestFull(t *testing.T) {
	s, writing, goOn := stuck(t, &Config{Queue: 2})
	errs := make(chan error)
	add := func() { _, err := s.Append(t.Context(), "k", nil); errs <- err }
	go add()
	<-writing
	go add()
	waits(s, 1)
	go add()
	waits(s, 2)
	if _, err := s.Append(t.Context(), "k", nil); !errors.Is(err, ErrFull) {
		t.Errorf("the third in a line for two: %v", err)
	}
	goOn()
	for range 3 {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
}

// Those who come while a batch is written share the next: one write and one sync.
func TestGroupCommit(t *testing.T) {
	d := newDisk()
	h := newHistory(t, "group commit")
	s := open(t, d, nil)
	h.s = s
	calls := map[string]int{}
	d.fault = func(c call) deed { calls[c.kind]++; return proceed }
	if err := h.wave(d, 20); err != nil {
		t.Fatal(err)
	}
	if calls["write"] != 2 || calls["sync"] != 2 || len(calls) != 2 {
		t.Errorf("one record, and 20 while that was written, took %v; want 2 writes and 2 syncs", calls)
	}
}

// Tasks of several loops and goroutines use one store, and a loop goes on while its tasks wait for the disk.
func TestTasks(t *testing.T) {
	s, writing, goOn := stuck(t, nil)
	const each = 50
	var ends sync.WaitGroup
	for g := range 4 {
		ends.Go(func() {
			for i := range each {
				if _, err := s.Append(t.Context(), fmt.Sprintf("g%d.%d", g, i), nil); err != nil {
					t.Error(err)
				}
			}
		})
	}
	<-writing
	var done atomic.Int32
	err := ringo.Run(t.Context(), &ringo.Config{Loops: 2}, func(l *ringo.Loop) error {
		g := ringo.NewGroup(l)
		for k := range 4 {
			g.Go(func() error {
				for i := range each {
					key := fmt.Sprintf("t%d.%d.%d", l.Index(), k, i)
					if _, err := s.Append(l.Context(), key, []byte(key)); err != nil {
						return err
					}
					get(t, s, key, key)
				}
				done.Add(1)
				return nil
			})
		}
		if err := l.Sleep(time.Millisecond); err != nil { // the loop is free, though its tasks wait
			return err
		}
		goOn()
		return g.Wait()
	})
	if err != nil || done.Load() != 8 {
		t.Errorf("Run: %v; %d tasks came to their end", err, done.Load())
	}
	ends.Wait()
	if len(s.index) != 12*each {
		t.Errorf("%d records, want %d", len(s.index), 12*each)
	}
}

// A cancelled task, and one whose time is over, wait no longer; their records do as with contexts.
func TestCanceledTasks(t *testing.T) {
	s, writing, goOn := stuck(t, nil)
	var begun, waiting, late error
	err := ringo.Run(t.Context(), &ringo.Config{Loops: 1}, func(l *ringo.Loop) error {
		first := l.Go(func() { _, begun = s.Append(context.Background(), "begun", nil) })
		if err := l.Offload(func(context.Context) error { <-writing; return nil }); err != nil {
			return err
		}
		second := l.Go(func() { _, waiting = s.Append(context.Background(), "waiting", nil) })
		third := l.Go(func() {
			late = l.WithTimeout(time.Millisecond, func() error {
				_, err := s.Append(context.Background(), "late", nil)
				return err
			})
		})
		if err := third.Wait(); err != nil {
			return err
		}
		first.Cancel()
		second.Cancel()
		return errors.Join(first.Wait(), second.Wait())
	})
	if err != nil {
		t.Fatal(err)
	}
	if !errors.Is(begun, context.Canceled) || !errors.Is(begun, ErrInDoubt) {
		t.Errorf("the one that was begun: %v", begun)
	}
	if !errors.Is(waiting, context.Canceled) || errors.Is(waiting, ErrInDoubt) {
		t.Errorf("the one in line: %v", waiting)
	}
	if late == nil || errors.Is(late, ErrInDoubt) {
		t.Errorf("the one with a timeout: %v", late)
	}
	goOn()
	if _, err := s.Append(t.Context(), "last", nil); err != nil {
		t.Fatal(err)
	}
	if len(s.index) != 2 {
		t.Errorf("%d records in the log, want begun and last", len(s.index))
	}
}
