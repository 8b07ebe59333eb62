package sim_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"ringo"
	"ringo/file"
	"ringo/sim"
)

// An hour's sleep takes no time, and the clocks say that it was one.
func TestRunLoopClock(t *testing.T) {
	sim.RunLoop(t, func(l *ringo.Loop) error {
		before := l.Now()
		if err := l.Sleep(time.Hour); err != nil {
			return err
		}
		if d := l.Now().Sub(before); d < time.Hour || d > time.Hour+time.Second {
			return fmt.Errorf("an hour took %v", d)
		}
		return nil
	})
}

// Package file works on the disk in memory, which is an fs.FS as any other.
func TestRunLoopDisk(t *testing.T) {
	sim.RunLoop(t, func(l *ringo.Loop) error {
		if found, err := file.ReadDir("/data"); len(found) != 0 || err != nil {
			return fmt.Errorf("the disk has %v, %v", found, err)
		}
		err := file.MkdirAll("/data/a/b", 0o755)
		for name, text := range map[string]string{"hello": "hello, world", "a/b/c": "deep", "a/empty": "",
			"a/big": strings.Repeat("big", 5000)} {
			err = errors.Join(err, file.WriteFile("/data/"+name, []byte(text), 0o600))
		}
		if err = errors.Join(err, file.Symlink("b/c", "/data/a/link")); err != nil {
			return err
		}
		want := []string{"hello", "a/b/c", "a/empty", "a/big", "a/link"}
		if err := fstest.TestFS(file.DirFS("/data"), want...); err != nil {
			return err
		}
		d, err := file.OpenRoot("/data")
		if err != nil {
			return err
		}
		defer d.Close()
		return fstest.TestFS(d.FS(), want...)
	})
	sim.RunLoop(t, func(*ringo.Loop) error { // another world, another disk
		if found, err := file.ReadDir("/data"); len(found) != 0 || err != nil {
			return fmt.Errorf("the disk of another world has %v, %v", found, err)
		}
		return nil
	})
}

// What fails in it fails the test: an error, a deadlock, a descriptor that is left open.
func TestRunLoopFails(t *testing.T) {
	for want, fn := range map[string]func(l *ringo.Loop) error{
		"what went wrong": func(*ringo.Loop) error { return errors.New("what went wrong") },
		"deadlock":        func(l *ringo.Loop) error { _, err := ringo.NewChan[int](1).Recv(); return err },
		"left open at the program's end: /data/open": func(l *ringo.Loop) error {
			_, err := file.Create("/data/open")
			return err
		},
		"left open at the program's end: read end of a pipe, write end of a pipe": func(l *ringo.Loop) error {
			_, _, err := file.Pipe()
			return err
		},
	} {
		tb := &recorder{TB: t}
		sim.RunLoop(tb, fn)
		tb.want(t, want, "seed 1")
	}
}
