// A task has what the function around it was given.
package main

import (
	"context"
	"fmt"
	"io"
	"log"
	"os"

	"ringo"
)

func main() {
	log.Fatal(ringo.Run(context.Background(), nil, func(l *ringo.Loop) error {
		report(l, os.Stdout) // want `\(\*os.File\).Write .*main.report`
		return nil
	}))
}

func report(l *ringo.Loop, w io.Writer) {
	line := func(s string) { fmt.Fprintln(w, s) } // want `\(\*os.File\).Write .*Loop\).Go at main.go:24 .*fmt.Fprintln`
	line("now")
	l.Go(func() { line("later") })
}
