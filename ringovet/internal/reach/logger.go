package reach

import (
	"go/types"
	"slices"

	"golang.org/x/tools/go/ssa"
)

// findLoggers notes the packages that set the default of log or log/slog to one that never waits.
func (w *World) findLoggers() {
	for _, f := range w.g.Funcs {
		for _, b := range f.Blocks {
			for _, instr := range b.Instrs {
				call, ok := instr.(*ssa.Call)
				if !ok || call.Call.StaticCallee() == nil {
					continue
				}
				s := &scanner{w: w, f: f, info: &info{}, instr: instr}
				switch call.Call.StaticCallee().String() {
				case "log.SetOutput":
					s.value(call.Call.Args[0], "Write", nil)
				case "log/slog.SetDefault":
					s.wrapped(call.Call.Args[0])
				default:
					continue
				}
				if !slices.ContainsFunc(s.edges, w.blocks) {
					w.loggers = append(w.loggers, packageOf(f))
				}
			}
		}
	}
	clear(w.infos) // they were made as if no package had set a logger
	clear(w.parking)
}

// blocks reports whether an edge leads to a blocker.
func (w *World) blocks(e edge) bool {
	return e.block != nil || e.to != nil && len(w.walk([]root{{fn: e.to}})) > 0
}

// logs reports whether a package's calls of the default logger never wait: the package, one that imports it, or one
// that it imports has set the default to one that never waits.
func (w *World) logs(p *types.Package) bool {
	for _, setter := range w.loggers {
		if setter.Path() == p.Path() || imports(setter, p) || imports(p, setter) {
			return true
		}
	}
	return w.facts != nil && slices.ContainsFunc(p.Imports(), w.facts.Log)
}

// SetsLog reports whether a package sets the default of log or log/slog to one that never waits.
func (w *World) SetsLog(p *types.Package) bool { return slices.Contains(w.loggers, p) }

// imports reports whether p imports q, directly or not. It compares paths: with files of tests a package exists twice,
// and others import one of the two.
func imports(p, q *types.Package) bool {
	seen := map[string]bool{}
	queue := []*types.Package{p}
	for len(queue) > 0 {
		for _, i := range queue[0].Imports() {
			if !seen[i.Path()] {
				seen[i.Path()] = true
				queue = append(queue, i)
			}
		}
		queue = queue[1:]
	}
	return seen[q.Path()]
}
