package lint

import "strings"

// unsafeIn are the folders whose code may import unsafe, each with the reason.
var unsafeIn = map[string]string{
	"internal/abi":       "sizes and offsets of the kernel's structs",
	"internal/race":      "the detector is told about addresses",
	"internal/rt/gmark":  "the address of the running goroutine",
	"internal/rt/code":   "the address in a closure",
	"internal/rt/labels": "the running goroutine's labels, which nothing public tells",
	"internal/sys":       "system calls take addresses",
	"internal/mask":      "it looks through the entries of a ring as they are submitted",
	"uring":              "the rings are memory shared with the kernel",
	"buf":                "memory at addresses that direct I/O wants",
	"internal/op":        "an entry of the ring holds addresses of buffers",

	"examples/uring/waitid": "the kernel tells of a child in a struct that is a union for package unix",
}

// Unsafe is the rule that files which use unsafe can be found by their names, and that only the packages in unsafeIn
// use it. The second half does not apply to tests and their helpers.
func Unsafe(t *Tree) (faults []string) {
	for _, p := range t.Packages {
		for _, f := range p.Files {
			for imported, spec := range f.imports {
				if imported != "unsafe" {
					continue
				}
				if !strings.Contains(f.Name, "_unsafe") {
					faults = append(faults, t.fault(spec.Pos(), "imports unsafe, and its name doesn't say so: put "+
						"_unsafe into it, before _linux, _test and the like, so that a review finds all such files "+
						"by name."))
				}
				if unsafeIn[p.Dir] == "" && !f.Test && !listed(testHelpers, p.Dir) {
					faults = append(faults, t.fault(spec.Pos(),
						"imports unsafe: only the packages that share memory with the kernel may. "+
							"If %s must, add it to unsafeIn in internal/test/lint/unsafe.go with the reason.", p.Dir))
				}
			}
		}
	}
	return faults
}
