package cli

import (
	"fmt"
	"runtime/debug"
)

// Build is what the tool was built from: the module's version, the commit, and
// whether there were changes since.
func Build() (module, revision string, changed bool) {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown", "", false
	}
	for _, s := range info.Settings {
		switch {
		case s.Key == "vcs.revision":
			revision = s.Value
		case s.Key == "vcs.modified":
			changed = s.Value == "true"
		}
	}
	return info.Main.Version, revision, changed
}

// BuildVersion is both in a few words, for the report of probe.
func BuildVersion() string {
	module, revision, changed := Build()
	switch {
	case revision == "":
		return module
	case changed:
		return fmt.Sprintf("%s (%.12s+changes)", module, revision)
	}
	return fmt.Sprintf("%s (%.12s)", module, revision)
}
