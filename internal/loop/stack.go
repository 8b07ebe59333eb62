package loop

import (
	"fmt"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
)

// stack is where a goroutine was, from the innermost function on: as addresses, or as functions if it was read from a
// trace.
type stack struct {
	pcs       []uintptr
	functions []function
	stale     bool // only the outermost functions are certain, and calls may have ended
}

// function is one on a stack.
type function struct {
	name string
	file string
	line int
}

func (s *stack) equal(o *stack) bool {
	return slices.Equal(s.pcs, o.pcs) && slices.Equal(s.functions, o.functions)
}

// known reports whether anything is known.
func (s *stack) known() bool { return len(s.pcs)+len(s.functions) > 0 }

// all gives the functions.
func (s *stack) all() []function {
	if s.functions != nil || len(s.pcs) == 0 {
		return s.functions
	}
	var all []function
	frames := runtime.CallersFrames(s.pcs)
	for {
		f, more := frames.Next()
		if f.Function != "" {
			all = append(all, function{f.Function, f.File, f.Line})
		}
		if !more {
			return all
		}
	}
}

// parkedAt is the stack of a task that is parked, as text.
func (s *stack) parkedAt() string {
	all := s.all()
	all = all[slices.IndexFunc(all, func(f function) bool { return f.name == parkFunction })+1:]
	var b strings.Builder
	for _, f := range all {
		if f.name == serveFunction {
			break
		}
		fmt.Fprintf(&b, "%s\n\t%s:%d\n", f.name, f.file, f.line)
	}
	return b.String()
}

// parkFunction is above all that a task does by which it parks.
const parkFunction = "ringo/internal/loop.(*Loop).Park"

// place says which task a stack belongs to, and what it is in.
func (s *stack) place() place {
	all := s.all()
	if len(all) == 0 {
		return place{task: "a task"}
	}
	if s.stale {
		if task := outermost(all); task >= 0 {
			return place{task: all[task].name, at: all[task].at()}
		}
		return place{task: "a task"}
	}
	task := len(all)
	p := place{task: "the loop itself"}
	if i := slices.IndexFunc(all, func(f function) bool { return f.name == serveFunction }); i >= 0 {
		p.task = "a task"
		if task = outermost(all[:i]); task >= 0 {
			p.task, p.at = all[task].name, all[task].at()
		} else {
			task = i
		}
	}
	p.in = calls(all[:task])
	return p
}

// serveFunction is below each task.
const serveFunction = "ringo/internal/loop.(*worker).serve"

// outermost is which function a task is named by: the program's outermost. A task that this module makes, as
// ListenAndServe does, may have none; it is named by the outermost function of ours that users can know. -1 if there is
// none of either.
func outermost(functions []function) int {
	ours := -1
	for i, f := range slices.Backward(functions) {
		switch pkg := packageOf(f.name); {
		case pkg == "ringo" || pkg == "ringo/sock" || pkg == "ringo/file":
			// ringo.Run only calls what the others pass
			if ours < 0 || packageOf(functions[ours].name) == "ringo" && pkg != "ringo" {
				ours = i
			}
		case !engine(pkg):
			return i
		}
	}
	return ours
}

// at is "store.go:81".
func (f *function) at() string { return fmt.Sprintf("%s:%d", filepath.Base(f.file), f.line) }

// callsMax bounds the calls that are named; those nearest to the task are left out.
const callsMax = 4

// calls says what a task is in, the innermost call first, without what the runtime does for it.
func calls(functions []function) string {
	var names []string
	for _, f := range functions {
		name := f.name
		if known := waitsOfRuntime[name]; known != "" {
			name = known
		} else if pkg := packageOf(name); len(names) == 0 && (pkg == "runtime" || strings.HasPrefix(pkg, "internal/") ||
			strings.HasPrefix(name, "sync.runtime_") || strings.Contains(name, "RawSyscall")) {
			continue
		}
		if len(names) == callsMax {
			return strings.Join(names, " <- ") + " <- ..."
		}
		names = append(names, name)
	}
	return strings.Join(names, " <- ")
}

// waitsOfRuntime are functions that the compiler puts in the place of what the program says.
var waitsOfRuntime = map[string]string{
	"runtime.chanrecv1": "receive from a channel",
	"runtime.chanrecv2": "receive from a channel",
	"runtime.chansend1": "send to a channel",
	"runtime.selectgo":  "select",
	"runtime.block":     "select",
}
