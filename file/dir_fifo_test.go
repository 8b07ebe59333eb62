package file_test

import (
	"context"
	"errors"
	"os"
	"testing"

	"ringo"
	"ringo/file"
)

// The open of a FIFO in a Dir waits for the other end, and holds nobody up: not its
// loop, nor files that are opened meanwhile; and a task that waits can be cancelled.
func TestDirFIFO(t *testing.T) {
	lookups(t, func(t *testing.T) {
		eachDriver(t, func(t *testing.T, cfg ringo.Config) {
			dir := tempDir(t)
			if err := errors.Join(file.Mkfifo(dir+"/fifo", 0o600), writeFile(dir+"/file", nil, 0o600)); err != nil {
				t.Fatal(err)
			}
			onLoop(t, cfg, func(l *ringo.Loop) {
				d, err := file.OpenDir(dir)
				if err != nil {
					t.Error(err)
					return
				}
				var tasks []*ringo.Task
				errs := make([]error, 40)
				for i := range errs {
					tasks = append(tasks, l.Go(func() {
						f, err := d.Open("fifo")
						if errs[i] = err; err == nil {
							f.Close()
						}
					}))
				}
				l.Sleep(0)
				for range 20 {
					if err := d.WriteFile("new", []byte("content"), 0o600); err != nil {
						t.Error(err)
					}
				}
				for _, task := range tasks[:20] {
					task.Cancel()
					task.Wait()
				}
				for i, err := range errs[:20] {
					if !errors.Is(err, context.Canceled) {
						t.Errorf("cancelled open %d: %v", i, err)
					}
				}
				w, err := d.OpenFile("fifo", os.O_RDWR, 0) // which waits for nobody
				if err != nil {
					t.Error(err)
				}
				for i, task := range tasks[20:] {
					if task.Wait(); errs[20+i] != nil {
						t.Errorf("open %d: %v", 20+i, errs[20+i])
					}
				}
				w.Close()
				d.Close()
			})
			settleFIFO(t, dir+"/fifo")
		})
	})
}

// settleFIFO ends the opens that cancelled tasks have left.
func settleFIFO(t *testing.T, name string) {
	t.Helper()
	f, err := os.OpenFile(name, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
}
