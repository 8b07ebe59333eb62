package sim_test

import (
	"errors"
	"io"
	"os"
	"testing"
	"time"

	"ringo"
	"ringo/file"
	"ringo/internal/posix"
	"ringo/sim"
)

// What is set for a disk strikes whatever call of package file or sock reads, writes or syncs a file.
func TestDiskFaultsStrikeAllCalls(t *testing.T) {
	sends := func(w *sim.World, l *ringo.Loop) error {
		a, b, err := pair(l, "tcp", "127.0.0.1:0")
		if err != nil {
			return err
		}
		f, err := file.Open("/tmp/a")
		if err != nil {
			return err
		}
		defer f.Close()
		l.Go(func() { io.Copy(io.Discard, b); b.Close() })
		defer a.Close()
		_, err = io.Copy(a, f)
		return err
	}
	sendsRange := func(w *sim.World, l *ringo.Loop) error {
		a, b, err := pair(l, "tcp", "127.0.0.1:0")
		if err != nil {
			return err
		}
		defer a.Close()
		defer b.Close()
		f, err := file.Open("/tmp/a")
		if err != nil {
			return err
		}
		defer f.Close()
		if n, err := a.SendFile(nil, f, 0, 100); n != 100 {
			return err
		}
		return nil
	}
	takes := func(w *sim.World, l *ringo.Loop) error {
		a, b, err := pair(l, "tcp", "127.0.0.1:0")
		if err != nil {
			return err
		}
		defer b.Close()
		f, err := file.Create("/tmp/b")
		if err != nil {
			return err
		}
		defer f.Close()
		l.Go(func() { a.Write(make([]byte, 100_000)); a.Close() })
		_, err = io.Copy(f, b)
		return err
	}
	copies := func(*sim.World, *ringo.Loop) error { _, err := file.CopyFile("/tmp/b", "/tmp/a"); return err }
	writes := func(flag int) func(*sim.World, *ringo.Loop) error {
		return func(*sim.World, *ringo.Loop) error {
			f, err := file.OpenFile("/tmp/b", os.O_CREATE|os.O_WRONLY|flag, 0o600)
			if err != nil {
				return err
			}
			defer f.Close()
			_, err = f.Write([]byte("hello"))
			return err
		}
	}
	syncsRange := func(*sim.World, *ringo.Loop) error {
		f, err := file.OpenFile("/tmp/a", os.O_RDWR, 0)
		if err != nil {
			return err
		}
		defer f.Close()
		return f.SyncRange(0, 0, file.SyncWrite|file.SyncWaitAfter)
	}
	for _, c := range []struct {
		what  string
		disk  sim.Disk
		call  func(w *sim.World, l *ringo.Loop) error
		least time.Duration // what it takes; 0: it fails with EIO
	}{
		{"a sendfile reads", sim.Disk{FailRead: 1}, sends, 0},
		{"SendFile reads", sim.Disk{FailRead: 1}, sendsRange, 0},
		{"SendFile goes on", sim.Disk{Latency: time.Second}, sendsRange, time.Second}, // of the open
		{"a copy reads", sim.Disk{FailRead: 1}, copies, 0},
		{"a copy writes", sim.Disk{FailWrite: 1}, copies, 0},
		{"a copy from a connection writes", sim.Disk{FailWrite: 1}, takes, 0},
		{"a write with O_SYNC syncs", sim.Disk{FailSync: 1}, writes(os.O_SYNC), 0},
		{"SyncRange syncs", sim.Disk{FailSync: 1}, syncsRange, 0},
		{"a sendfile takes time", sim.Disk{Latency: time.Second}, sends, 2 * time.Second}, // the open, and that
		{"a copy takes time", sim.Disk{Latency: time.Second}, copies, 4 * time.Second},    // with two opens
		{"a copy from a connection takes time", sim.Disk{Latency: time.Second}, takes, 2 * time.Second},
		{"a write with O_SYNC takes time", sim.Disk{Sync: time.Second}, writes(os.O_SYNC), time.Second},
		{"a write without takes none", sim.Disk{Sync: time.Second}, writes(0), time.Nanosecond},
		{"SyncRange takes time", sim.Disk{Sync: time.Second}, syncsRange, time.Second},
		{"a chmod takes time", sim.Disk{Latency: time.Second},
			func(*sim.World, *ringo.Loop) error { return file.Chmod("/tmp/a", 0o600) }, time.Second},
		{"a list takes time", sim.Disk{Latency: time.Second},
			func(*sim.World, *ringo.Loop) error { _, err := file.ReadDir("/tmp"); return err }, 2 * time.Second},
	} {
		t.Run(c.what, func(t *testing.T) {
			here(t, func(w *sim.World, l *ringo.Loop) error {
				if err := file.WriteFile("/tmp/a", make([]byte, 100_000), 0o600); err != nil {
					return err
				}
				w.Hosts()[0].Disk = c.disk
				begun := w.Elapsed()
				err := c.call(w, l)
				took := w.Elapsed() - begun
				switch {
				case c.least == 0 && !errors.Is(err, posix.EIO):
					w.Errorf("it ends with %v", err)
				case c.least > 0 && err != nil:
					return err
				case took < c.least, c.least == time.Nanosecond && took > time.Millisecond:
					w.Errorf("it takes %v", took)
				}
				return nil
			})
		})
	}
}

// What was written to a file with O_SYNC is there after a crash.
func TestSyncWriteIsKept(t *testing.T) {
	sim.Explore(t, 20, func(w *sim.World) {
		h := w.Host("here")
		h.Run(nil, func(l *ringo.Loop) error {
			got, err := file.ReadFile("/data/a")
			if err == nil {
				if string(got) != "kept" {
					w.Errorf("after a crash there is %q", got)
				}
				return nil
			}
			f, err := file.OpenFile("/data/a", os.O_CREATE|os.O_WRONLY|os.O_SYNC, 0o600)
			if err != nil {
				return err
			}
			defer f.Close()
			d, err := file.Open("/data")
			if err != nil {
				return err
			}
			defer d.Close()
			if err := d.Sync(); err != nil {
				return err
			}
			if _, err := f.Write([]byte("kept")); err != nil {
				return err
			}
			h.Crash()
			h.Restart()
			return l.Sleep(time.Hour)
		})
		w.RunFor(time.Minute)
	})
}
