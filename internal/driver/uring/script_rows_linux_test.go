//go:build linux

package uring

import (
	"fmt"
	"testing"

	"golang.org/x/sys/unix"

	"ringo/internal/driver"
	"ringo/internal/op"
	"ringo/internal/test/uringtest"
)

// Every row of a file or a name that goes by an entry is played by scripts, here and in
// random programs. The other rows of files are calls of workers, which no kernel's freedom
// concerns.
func TestScriptRowsAll(t *testing.T) {
	for code := range op.Codes {
		def := &op.Table[code]
		if entry := def.Kind == op.Blocking && def.Prep != nil; entry != (fileRows[code] != nil) {
			t.Errorf("%s has an entry: %v; scripts play it: %v", def.Name, entry, fileRows[code] != nil)
		}
	}
}

// eachRow runs f for each of those rows, on kernels that follow a script.
func eachRow(t *testing.T, script func() uringtest.Script, f func(t *testing.T, w *world, c *call)) {
	t.Helper()
	for code, row := range fileRows {
		t.Run(op.Table[code].Name, func(t *testing.T) {
			w := scripted(t, setting{script: script()})
			f(t, w, row(w))
			w.close()
		})
	}
}

// punted has ops of files done later than their entries are taken.
func punted(p uringtest.Point, _ int, _ *uringtest.Request) int {
	if p == uringtest.Punt {
		return 1
	}
	return 0
}

// The row comes to its result: at once, later, in pieces, and after EAGAIN, EINTR and ECANCELED
// that nobody is told of.
func TestScriptRowsDone(t *testing.T) {
	scripts := map[string]func() uringtest.Script{
		"calm":     func() uringtest.Script { return nil },
		"later":    func() uringtest.Script { return punted },
		"short":    func() uringtest.Script { return uringtest.Once(uringtest.Short, 7, nil) },
		"retried":  func() uringtest.Script { return uringtest.Times(3, uringtest.NotReady, 1, nil) },
		"given up": func() uringtest.Script { return uringtest.Times(3, uringtest.GiveUp, 1, nil) },
	}
	for how := 2; how <= 3; how++ {
		scripts[fmt.Sprint("interrupted ", how)] = func() uringtest.Script {
			return uringtest.Times(3, uringtest.NotReady, how, nil)
		}
	}
	for name, script := range scripts {
		t.Run(name, func(t *testing.T) {
			eachRow(t, script, func(t *testing.T, w *world, c *call) {
				w.submit(c)
				if w.ends(c); c.res < 0 {
					t.Errorf("it gave %d", c.res)
				}
				if moves := len(c.in)+len(c.out) > 0; name == "short" && moves && c.res != 7 {
					t.Errorf("it gave %d, want the 7 bytes of the kernel", c.res)
				}
			})
		})
	}
	t.Run("short and full", func(t *testing.T) {
		w := scripted(t, setting{script: uringtest.Times(3, uringtest.Short, 7, nil)})
		c := fileRows[op.WriteAt](w)
		c.o.Flags = op.Full
		w.submit(c)
		if w.ends(c); int(c.res) != len(c.out) {
			t.Errorf("a write of %d bytes gave %d", len(c.out), c.res)
		}
		w.close()
	})
}

// Each error is its owner's, and nothing was done.
func TestScriptRowsFail(t *testing.T) {
	for i, errno := range fileErrnos {
		t.Run(unix.ErrnoName(errno), func(t *testing.T) {
			eachRow(t, func() uringtest.Script {
				return uringtest.Once(uringtest.FileFails, i+1, nil)
			}, func(t *testing.T, w *world, c *call) {
				w.submit(c)
				if w.ends(c); c.res != -int32(errno) {
					t.Errorf("it gave %d, want %d", c.res, -int32(errno))
				}
			})
		})
	}
}

// A cancel comes before the kernel has seen the row, while it waits for a thread, while one
// is at it, and too late; and so does Close. It ends once, and is done or not as it says.
func TestScriptRowsCancel(t *testing.T) {
	for answer, name := range cancelAnswers {
		for told := range 4 { // what the thread makes of it
			t.Run(fmt.Sprint(name, ", ", told), func(t *testing.T) {
				eachRow(t, func() uringtest.Script {
					return func(p uringtest.Point, n int, r *uringtest.Request) int {
						switch {
						case p == uringtest.RunLater:
							return n - 1
						case p == uringtest.AnswerCancel && answer < n && mark(r.SQE.User_data) == markOp:
							return answer
						case p == uringtest.NotReady && !r.New() && told < n:
							return told
						}
						return punted(p, n, r)
					}
				}, func(t *testing.T, w *world, c *call) {
					w.submit(c)
					w.wait(driver.Poll) // it is taken
					if !c.ended {
						w.cancel(c)
					}
					if w.ends(c); c.res < 0 && c.res != -int32(unix.ECANCELED) {
						t.Errorf("it gave %d", c.res)
					}
				})
			})
		}
	}
	t.Run("before", func(t *testing.T) {
		eachRow(t, func() uringtest.Script { return nil }, func(t *testing.T, w *world, c *call) {
			w.k.SetScript(uringtest.Times(3, uringtest.EnterFails, 1, nil))
			w.submit(c)
			w.cancel(c)
			w.ends(c)
		})
	})
	for _, close := range []bool{false, true} {
		t.Run(fmt.Sprint("given up, by Close: ", close), func(t *testing.T) {
			eachRow(t, func() uringtest.Script { return uringtest.Once(uringtest.GiveUp, 1, nil) },
				func(t *testing.T, w *world, c *call) {
					w.submit(c)
					w.wait(driver.Poll) // a worker has it
					if c.ended {
						return
					}
					if !close {
						w.cancel(c)
						w.ends(c)
					}
				})
		})
	}
	for _, taken := range []bool{false, true} {
		t.Run(fmt.Sprint("by Close, taken: ", taken), func(t *testing.T) {
			eachRow(t, func() uringtest.Script { return punted }, func(t *testing.T, w *world, c *call) {
				w.submit(c)
				if taken {
					w.wait(driver.Poll)
				} // the rest is close's
			})
		})
	}
}
