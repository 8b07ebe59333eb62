//go:build linux

package socktest

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"ringo"
	"ringo/internal/loop"
)

// RefusedInWorlds makes the callers call that have no right to in a simulated world: a task of another host, and a
// goroutine. Each method must refuse them, and the world must fail. answersAll names the exceptions.
func RefusedInWorlds(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir()) // for the pages that failed worlds write
	for _, h := range handles {
		of := h.of.Elem().Name()
		for _, n := range networks {
			if !slices.Contains(h.nets, n.name) || omits(true, of, n.name, "task", "", "") != nil {
				continue
			}
			for _, r := range h.rows {
				if r.nets != nil && !slices.Contains(r.nets, n.name) {
					continue
				}
				for _, who := range strangers {
					if omits(true, of, n.name, "task", r.method, "plain") != nil {
						continue
					}
					t.Run(fmt.Sprintf("%s/%s/%s/%s", n.name, who.name, of, r.method), func(t *testing.T) {
						refused(t, n, who, r, h.listen)
					})
				}
			}
		}
	}
}

// strangers are those callers. Each world makes its own other host.
var strangers = []*caller{{name: "goroutine"}, {name: "another-host"}}

func (k *caller) isTask() bool { return k != strangers[0] }

// verdict is a test whose failures are only recorded.
type verdict struct {
	testing.TB
	text string
}

func (v *verdict) Errorf(format string, args ...any) { v.text += fmt.Sprintf(format, args...) }
func (v *verdict) Failed() bool                      { return v.text != "" }

func refused(t *testing.T, n *network, who *caller, r *row, listen bool) {
	v := &verdict{TB: t}
	var err error
	returned := false
	inWorld(v, 1, n, false, nil, func(w *runs) (bool, error) {
		x := &cell{trial: trial{who: who, runs: w}, net: n, row: r, ev: events[0], listen: listen}
		return false, x.intrude(func(e error) { err, returned = e, true })
	})
	noticed := strings.Contains(v.text, "came from outside of the world's tasks")
	waits := r.read != nil || r.write != nil
	switch {
	case !returned:
		t.Errorf("it does not return: %s", v.text)
	case answersAll(r, who) && err == nil && v.text == "":
	case !noticed, waits && !errors.Is(err, loop.ErrLeft):
		t.Errorf("it gives %v, and the world says: %s", err, v.text)
	}
}

// answersAll reports whether a method may answer callers that are no tasks of the handle's host, because it only looks
// at what does not change, sets one word, or acts through a task of the handle's loop, for which any task can wait.
func answersAll(r *row, who *caller) bool {
	switch r.method {
	case "SetZeroCopy":
		return true
	case "MoveTo":
		return who.isTask()
	}
	return r.stays && !r.ends
}

// intrude makes the call and passes its error to told at once, before it returns: a world that has failed stops.
func (x *cell) intrude(told func(err error)) error {
	if err := x.intrudes(); err != nil {
		return err
	}
	call := func() {
		var err error
		switch {
		case x.row.read != nil:
			_, err = x.row.read(x)
		case x.row.write != nil:
			_, err = x.row.write(x, stream(0, recordSize))
		default:
			err = x.row.ask(x)
		}
		told(err)
	}
	if x.who.isTask() {
		s := x.place.(*simulated)
		done := s.latch()
		s.w.Host("stranger").Run(nil, func(*ringo.Loop) error { defer done.open(); call(); return nil })
		return within("a task of another host", done)
	}
	done := make(channel)
	go func() { defer done.open(); call() }()
	return within("a goroutine's call", done)
}

// intrudes makes the handle or listener that the call is on.
func (x *cell) intrudes() (err error) {
	if x.listen {
		x.newListener()
		return errors.Join(x.faults...)
	}
	if x.ends, err = x.connect(x.runs, x.net, false, x.row.loose); err != nil {
		return err
	}
	x.know()
	return x.prepare()
}
