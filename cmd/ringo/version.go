package main

import (
	"flag"
	"fmt"
	"io"
	"runtime"
	"runtime/debug"
)

const versionText = `usage: ringo version

Tells the version of the module, the Go release, and the revision of the source, if
the tool was built in its repository by go build. So does "ringo --version".
`

// version runs "ringo version".
func version(args []string, stdout, _ io.Writer) error {
	fs := flag.NewFlagSet("version", flag.ContinueOnError)
	if err := parse(fs, args, stdout, versionText); err != nil {
		return err
	}
	module, revision, changed := build()
	switch {
	case revision == "":
		revision = "not known: the build has no stamp"
	case changed:
		revision += " and changes"
	}
	_, err := fmt.Fprintf(stdout, "ringo    %s\ngo       %s %s/%s\nrevision %s\n", module, runtime.Version(),
		runtime.GOOS, runtime.GOARCH, revision)
	return err
}

// build is what the tool was built from: the module's version, the commit, and
// whether there were changes since.
func build() (module, revision string, changed bool) {
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

// buildVersion is both in a few words, for the report of probe.
func buildVersion() string {
	module, revision, changed := build()
	switch {
	case revision == "":
		return module
	case changed:
		return fmt.Sprintf("%s (%.12s+changes)", module, revision)
	}
	return fmt.Sprintf("%s (%.12s)", module, revision)
}
