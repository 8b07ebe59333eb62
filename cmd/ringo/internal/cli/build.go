package cli

import (
	"fmt"
	"runtime/debug"
)

// Build returns what the tool was built from: the version of the module, the commit, "" if the build has no stamp, and
// whether the source had changes that were not committed.
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

// BuildVersion returns the version and the commit in a few words, for reports.
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
