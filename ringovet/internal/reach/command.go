package reach

import (
	"go/types"
	"slices"

	"golang.org/x/tools/go/ssa"
)

// commandStarts are the methods of a proc.Cmd that start it. If the caller is a task, a task then copies what the
// command reads and writes.
var commandStarts = []string{"(*ringo/proc.Cmd).Start", "(*ringo/proc.Cmd).Run", "(*ringo/proc.Cmd).Output"}

// streams are the fields of a Cmd that are copied, with the method that copying calls.
var streams = map[string]string{"Stdin": "Read", "Stdout": "Write", "Stderr": "Write"}

// command looks at a call that starts a command, and adds what copying its streams calls, in a task of its own. Files
// are not copied but passed to the command.
func (s *scanner) command(name, label string, args []ssa.Value) {
	if !slices.Contains(commandStarts, name) || len(args) == 0 {
		return
	}
	before := len(s.edges)
	s.within(label, func() {
		for _, c := range append(s.w.g.AllRoots(args[0]), args[0]) {
			eachStream(c, func(method string, v ssa.Value) {
				origins := slices.DeleteFunc(slices.Clone(s.origins(v)), isFile)
				s.called(origins, method, nil)
			})
		}
	})
	for i := range s.edges[before:] {
		s.edges[before+i].later = true
	}
}

func isFile(v ssa.Value) bool {
	box, ok := v.(*ssa.MakeInterface)
	return ok && box.X.Type().String() == "*os.File"
}

// eachStream visits the values that are stored into the streams of a command through this value, with the method that
// copying calls.
func eachStream(command ssa.Value, visit func(method string, v ssa.Value)) {
	for _, i := range referrers(command) {
		if at, ok := i.(*ssa.FieldAddr); ok {
			eachStream(at, visit) // the embedded exec.Cmd, or a stream
			if method := streams[streamOf(at)]; method != "" {
				for _, use := range referrers(at) {
					if store, ok := use.(*ssa.Store); ok && store.Addr == at {
						visit(method, store.Val)
					}
				}
			}
		}
	}
}

// streamOf returns the name of a field of an exec.Cmd, "" for a field of another type.
func streamOf(at *ssa.FieldAddr) string {
	p, ok := at.X.Type().Underlying().(*types.Pointer)
	if !ok || p.Elem().String() != "os/exec.Cmd" {
		return ""
	}
	return fieldName(at)
}
