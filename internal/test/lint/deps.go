package lint

import "strings"

// Dependencies is the rule that the module depends on the standard library and golang.org/x/sys only. The exceptions
// are HTTP/2, which uses the tables of golang.org/x/net (ADR 75), and the command, which uses a TOML reader (ADR 87).
// Tests may use all of golang.org/x/net.
func Dependencies(t *Tree) (faults []string) {
	for _, p := range t.Packages {
		for _, f := range p.Files {
			for imported, spec := range f.imports {
				first, _, _ := strings.Cut(imported, "/")
				_, local := t.local(imported)
				switch {
				case local || !strings.Contains(first, "."): // ours, or the standard library
				case strings.HasPrefix(imported, "golang.org/x/sys/"):
				case imported == "golang.org/x/net/http2/hpack" && p.Dir == "sock/sockhttp":
				case imported == "github.com/BurntSushi/toml" && p.Dir == "cmd/ringo/internal/cli":
				case f.Test && strings.HasPrefix(imported, "golang.org/x/net/"):
				default:
					faults = append(faults, t.fault(spec.Pos(),
						"imports %s: a runtime's dependencies become those of all its users; "+
							"it has the standard library, golang.org/x/sys and, for HTTP/2, hpack, and its command "+
							"TOML. Comparisons belong in bench, a module of its own.", imported))
				}
			}
		}
	}
	return faults
}

// Cgo is the rule that the module is pure Go and uses none of the runtime's internals.
func Cgo(t *Tree) (faults []string) {
	for _, p := range t.Packages {
		for _, f := range p.Files {
			for imported, spec := range f.imports {
				if imported == "C" {
					faults = append(faults, t.fault(spec.Pos(), "imports C: users cross-compile, and a C call costs "+
						"more than a ring's turn. C belongs in bench."))
				}
			}
			for _, group := range f.AST.Comments {
				for _, c := range group.List {
					if strings.HasPrefix(c.Text, "//go:linkname") {
						faults = append(faults, t.fault(c.Pos(), "go:linkname: what it reaches changes with any "+
							"release of Go, and the linker refuses it more and more."))
					}
				}
			}
		}
	}
	return faults
}
