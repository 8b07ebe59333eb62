//go:build linux

package sim_test

import (
	"testing"
	"time"

	"ringo"
	"ringo/file"
	"ringo/sim"
)

func TestDbg(t *testing.T) {
	sim.Run(t, 1, func(w *sim.World) {
		h := w.Host("server")
		n := 0
		h.Run(nil, func(l *ringo.Loop) error {
			p, err := file.ReadFile("/kept")
			t.Logf("%d: %q %v", n, p, err)
			n++
			st0, e0 := file.Stat("/kept"); if e0 == nil { t.Log("size", st0.Size()) }
			{ f, err := file.Open("/kept"); b := make([]byte, 10); if err == nil { k, err := f.ReadAt(b, 0); t.Logf("readat %d %v %q", k, err, b); k, err = f.Read(b); t.Log("read", k, err) } }
			if n > 1 {
				return nil
			}
			f, err := file.Create("/kept")
			k, err := f.Write([]byte("synced"))
			t.Log(k, err, f.Sync())
			d, err := file.Open("/")
			t.Log(d.Sync())
			st, err := f.Stat()
			t.Log(st.Size(), err)
			p, err = file.ReadFile("/kept")
			t.Logf("%q %v", p, err)
			return l.Sleep(time.Hour)
		})
		w.RunFor(time.Second)
		h.Crash()
		w.RunFor(time.Second)
		h.Restart()
		w.RunFor(time.Second)
	})
}
