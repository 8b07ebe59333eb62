package main

import (
	"flag"
	"fmt"
	"io"
	"runtime"

	"ringo/cmd/ringo/internal/cli"
)

const versionText = `usage: ringo version

Tells the version of the module, the Go release, and the revision of the source, if
the tool was built in its repository by go build. So does "ringo --version".
`

// version runs "ringo version".
func version(args []string, stdout, _ io.Writer) error {
	fs := flag.NewFlagSet("version", flag.ContinueOnError)
	if err := cli.Parse(fs, args, stdout, versionText); err != nil {
		return err
	}
	module, revision, changed := cli.Build()
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
