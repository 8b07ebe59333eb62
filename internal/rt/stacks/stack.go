package stacks

import (
	"fmt"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
)

// Stack is where a goroutine was, from the innermost function on: as addresses, or as functions if it was read from a
// trace.
type Stack struct {
	PCs       []uintptr
	Functions []Function
	Stale     bool // only the outermost functions are certain, and calls may have ended
}

// Function is a function on a stack.
type Function struct {
	Name string
	File string
	Line int
}

// Equal reports whether two stacks are the same.
func (s *Stack) Equal(o *Stack) bool {
	return slices.Equal(s.PCs, o.PCs) && slices.Equal(s.Functions, o.Functions)
}

// Known reports whether anything is known of the stack.
func (s *Stack) Known() bool { return len(s.PCs)+len(s.Functions) > 0 }

// All returns the functions.
func (s *Stack) All() []Function {
	if s.Functions != nil || len(s.PCs) == 0 {
		return s.Functions
	}
	var all []Function
	frames := runtime.CallersFrames(s.PCs)
	for {
		f, more := frames.Next()
		if f.Function != "" {
			all = append(all, Function{f.Function, f.File, f.Line})
		}
		if !more {
			return all
		}
	}
}

// ParkedAt returns the stack of a parked task as text.
func (s *Stack) ParkedAt() string {
	all := s.All()
	all = all[slices.IndexFunc(all, func(f Function) bool { return f.Name == Park })+1:]
	var b strings.Builder
	for _, f := range all {
		if f.Name == Serve {
			break
		}
		fmt.Fprintf(&b, "%s\n\t%s:%d\n", f.Name, f.File, f.Line)
	}
	return b.String()
}

// Module is the path of this module, and of the package that is its root.
const Module = "ringo"

// Park is the function by which every task parks; what it calls is not of interest.
const Park = "ringo/internal/loop.(*Loop).Park"

// Place says where a task was: its function, the place in that, and the calls from there, the innermost first.
type Place struct{ Task, At, In string }

// Place returns which task a stack belongs to, and where that was.
func (s *Stack) Place() Place {
	all := s.All()
	if len(all) == 0 {
		return Place{Task: "a task"}
	}
	if s.Stale {
		if task := outermost(all); task >= 0 {
			return Place{Task: all[task].Name, At: all[task].at()}
		}
		return Place{Task: "a task"}
	}
	task := len(all)
	p := Place{Task: "the loop itself"}
	if i := slices.IndexFunc(all, func(f Function) bool { return f.Name == Serve }); i >= 0 {
		p.Task = "a task"
		if task = outermost(all[:i]); task >= 0 {
			p.Task, p.At = all[task].Name, all[task].at()
		} else {
			task = i
		}
	}
	p.In = calls(all[:task])
	return p
}

// Serve is the function that calls every task.
const Serve = "ringo/internal/loop.(*worker).serve"

// outermost returns the index of the function that a task is named by: the program's outermost. A task that this
// module starts, as ListenAndServe does, may have none; it is named by the outermost function of the module that users
// can know. outermost returns -1 if there is neither.
func outermost(functions []Function) int {
	ours := -1
	for i, f := range slices.Backward(functions) {
		switch pkg := PackageOf(f.Name); {
		case pkg == Module || pkg == "ringo/sock" || pkg == "ringo/file":
			// ringo.Run only calls functions that were passed to others
			if ours < 0 || PackageOf(functions[ours].Name) == Module && pkg != Module {
				ours = i
			}
		case !engine(pkg):
			return i
		}
	}
	return ours
}

// at returns the place as "store.go:81".
func (f *Function) at() string { return fmt.Sprintf("%s:%d", filepath.Base(f.File), f.Line) }

// callsMax bounds the calls that are named; the outermost ones are left out.
const callsMax = 4

// calls returns the calls that a task is in, the innermost first, without those that the runtime makes for it.
func calls(functions []Function) string {
	var names []string
	for _, f := range functions {
		name := f.Name
		if known := waitsOfRuntime[name]; known != "" {
			name = known
		} else if pkg := PackageOf(name); len(names) == 0 && (pkg == "runtime" || strings.HasPrefix(pkg, "internal/") ||
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

// waitsOfRuntime names what the program does in functions that the compiler inserts.
var waitsOfRuntime = map[string]string{
	"runtime.chanrecv1": "receive from a channel",
	"runtime.chanrecv2": "receive from a channel",
	"runtime.chansend1": "send to a channel",
	"runtime.selectgo":  "select",
	"runtime.block":     "select",
}
