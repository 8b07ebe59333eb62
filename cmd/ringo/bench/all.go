package bench

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"ringo/cmd/ringo/internal/cli"
)

const help = `usage: ringo bench [flag ...]
       ringo bench file [flag ...]

Measures, on this machine and without anything else installed, what servers cost on each
driver that works here beside package net (echo over TCP and UDP, HTTP beside net/http),
and files by package file beside package os (cached and direct reads, appends with a
sync). Then it says which driver to take, how many loops, and whether Config.Spin and
Config.Place pay, each with the figures that it rests on.

Servers, what loads them and what uses files are processes of this program, which take
turns in short windows, round after round; every byte is verified, and the servers' CPU
time is the kernel's account of it. Ratios are taken within a round; above 1 is better. Where
noise is larger than a difference it says "no difference seen". Servers listen on 127.0.0.1
only.

It takes about a minute. A signal ends it earlier and keeps what is done; the exit code is
1 then. What can't be measured here is named with the reason. RINGO_DRIVER has no effect.

"ringo bench file -h" is about reads and writes of one file in more detail.
`

// runSuite runs "ringo bench" with no word after it.
func runSuite(args []string, stdout, stderr io.Writer) error {
	fs := flag.NewFlagSet("bench", flag.ContinueOnError)
	asJSON := fs.Bool("json", false, "write JSON to stdout in place of the tables")
	html := fs.String("html", "", "also write a page to this `file`, which needs nothing else to be looked at")
	quick := fs.Bool("quick", false, "take a quarter of the time, with wider intervals, and leave out rarer drivers")
	dir := fs.String("dir", "", "`directory` of the test files, 16 MiB and a little; empty: that for temporary files")
	if err := cli.Parse(fs, args, stdout, help); err != nil {
		return err
	}
	if err := os.Unsetenv("RINGO_DRIVER"); err != nil {
		return err
	}
	if *html != "" { // checked now, so that a mistake does not cost a minute
		if info, err := os.Stat(filepath.Dir(*html)); err != nil {
			return err
		} else if !info.IsDir() {
			return fmt.Errorf("-html %s: %s is no directory", *html, filepath.Dir(*html))
		}
	}
	report, err := measureAll(*quick, *dir, stderr)
	if report == nil {
		return err
	}
	if *asJSON {
		e := json.NewEncoder(stdout)
		e.SetIndent("", "  ")
		err = errors.Join(err, e.Encode(report))
	} else {
		err = errors.Join(err, report.text(stdout))
	}
	if *html != "" {
		var page bytes.Buffer
		if wrong := report.page(&page); wrong != nil {
			return errors.Join(err, wrong)
		}
		err = errors.Join(err, os.WriteFile(*html, page.Bytes(), 0o644))
	}
	return err
}

// measureAll measures and returns the report. If a signal stopped it, it returns the report of what is done and
// errStopped.
func measureAll(quick bool, dir string, stderr io.Writer) (report *Report, err error) {
	ctx, stop := cli.UntilSignal(func(s os.Signal) { fmt.Fprintf(stderr, "%v: stopping\n", s) })
	defer stop()
	begin := time.Now()
	limit, window := longTime, longWindow
	if quick {
		limit, window = quickTime, quickWindow
	}
	p := &status{w: stderr}
	defer p.clear()
	s, err := newSuite(quick, dir, p.show)
	defer func() { err = errors.Join(err, s.close()) }()
	if err != nil {
		return nil, err
	}
	s.run(ctx, limit-time.Since(begin), window)
	p.clear()
	report, err = s.finish()
	if err == nil && s.Stopped {
		err = errStopped
	}
	return report, err
}

// status is a line on a terminal that shows progress and is overwritten. On anything but a terminal it shows nothing.
type status struct {
	w    io.Writer
	wide int
}

func (s *status) show(text string) {
	if _, _, terminal := cli.Terminal(s.w); terminal {
		s.wide = max(s.wide, len(text))
		fmt.Fprintf(s.w, "\r%-*s", s.wide, text)
	}
}

func (s *status) clear() {
	if s.wide > 0 {
		fmt.Fprintf(s.w, "\r%*s\r", s.wide, "")
		s.wide = 0
	}
}
