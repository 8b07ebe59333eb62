package lint

import "strings"

// systems are the suffixes of file names that say which systems a file is for.
var systems = []string{"linux", "darwin", "freebsd", "netbsd", "openbsd", "dragonfly", "solaris",
	"windows", "unix", "other"}

// BuildLines is the rule that a file for some systems says which ones in a //go:build line.
func BuildLines(t *Tree) (faults []string) {
	for _, p := range t.Packages {
		for _, f := range p.Files {
			if system := systemOf(f.Name); system != "" && !hasBuildLine(f) {
				faults = append(faults, t.fault(f.AST.Package,
					"the name ends in _%s: a //go:build line must say what that means, "+
						"for the go tool knows some such endings and takes the others for all systems.", system))
			}
		}
	}
	return faults
}

// systemOf returns the suffix of a file's name that names systems, or "".
func systemOf(name string) string {
	stem := strings.TrimSuffix(strings.TrimSuffix(name, ".go"), "_test")
	for _, system := range systems {
		if strings.HasSuffix(stem, "_"+system) {
			return system
		}
	}
	return ""
}

func hasBuildLine(f *File) bool {
	for _, group := range f.AST.Comments {
		for _, c := range group.List {
			if c.Pos() < f.AST.Package && strings.HasPrefix(c.Text, "//go:build ") {
				return true
			}
		}
	}
	return false
}
