package lint

import (
	"slices"
	"strings"
)

const programReason = "a program outside this repository can't import that, and must be able to do whatever ours do, " +
	"as fast. Make what is missing API that everybody can use, of ringo, sock, file or uring."

// programInternals are the internal packages that programs may import.
var programInternals = []string{"internal/posix", "internal/measure"}

// Programs is the rule that our programs use only what users have. The exceptions are internal/posix, which is package
// syscall by another name and makes them compile on Plan 9, and internal/measure, which knows nothing of Ringo.
func Programs(t *Tree) (faults []string) {
	for _, p := range t.Packages {
		if !listed([]string{"cmd/...", "examples/..."}, p.Dir) || listed(testHelpers, p.Dir) {
			continue
		}
		for _, f := range p.source() {
			for name, spec := range f.imports {
				dir, ok := t.local(name)
				if ok && strings.HasPrefix(dir, "internal/") && !slices.Contains(programInternals, dir) {
					faults = append(faults, t.fault(spec.Pos(), "%s imports %s: %s", p.Dir, dir, programReason))
				}
			}
		}
	}
	return faults
}
