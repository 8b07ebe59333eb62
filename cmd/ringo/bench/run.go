package bench

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"ringo/cmd/ringo/internal/cli"
)

// paths are the names of all paths, in the order of the table.
var paths = []string{"os", "goroutine", "task", "offload", "fio"}

var errStopped = errors.New("stopped by a signal")

// run measures all paths and prints the table.
func (o *options) run(stdout, stderr io.Writer) (err error) {
	ctx, stop := cli.UntilSignal(func(s os.Signal) { fmt.Fprintf(stderr, "%v: stopping\n", s) })
	defer stop()
	remove, err := o.testFile(ctx, stderr)
	if ctx.Err() != nil {
		return errors.Join(errStopped, remove())
	}
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, remove()) }()
	var results []result
	var paths []string
	for _, path := range o.pathset {
		r, err := o.measure(ctx, path, stderr)
		switch {
		case ctx.Err() != nil:
			return errStopped
		case errors.Is(err, exec.ErrNotFound) && path == "fio":
			fmt.Fprintln(stderr, "fio is not installed, and left out")
			continue
		case errors.Is(err, errNoEngine):
			fmt.Fprintln(stderr, "fio is left out:", err)
			continue
		case err != nil:
			return fmt.Errorf("%s: %w", path, err)
		}
		paths, results = append(paths, path), append(results, r)
	}
	return o.table(stdout, paths, results)
}

// measure measures one path, in a process of its own.
func (o *options) measure(ctx context.Context, path string, stderr io.Writer) (result, error) {
	p := &progress{o: o, path: path, w: stderr}
	defer p.done()
	if path == "fio" {
		p.show(-1)
		return o.fio(ctx)
	}
	self, err := os.Executable()
	if err != nil {
		return result{}, err
	}
	job, err := json.Marshal(job{*o, path})
	if err != nil {
		return result{}, err
	}
	cmd := exec.CommandContext(ctx, self, "bench", workerFlag)
	cmd.Env = append(os.Environ(), jobVariable+"="+string(job))
	var words bytes.Buffer
	cmd.Stderr = &words
	out, err := cmd.StdoutPipe()
	if err != nil {
		return result{}, err
	}
	if err := cmd.Start(); err != nil {
		return result{}, err
	}
	var last string
	for lines := bufio.NewScanner(out); lines.Scan(); {
		last = lines.Text()
		if ops, err := strconv.ParseInt(last, 10, 64); err == nil {
			p.show(ops)
		}
	}
	if err := cmd.Wait(); err != nil {
		return result{}, fmt.Errorf("%w: %s", err, bytes.TrimSpace(words.Bytes()))
	}
	var r result
	if err := json.Unmarshal([]byte(last), &r); err != nil {
		return r, fmt.Errorf("no result: %w", err)
	}
	r.CPU = cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	return r, nil
}

// progress is a line on a terminal that is overwritten. On anything but a terminal it shows nothing.
type progress struct {
	o     *options
	path  string
	w     io.Writer
	begin time.Time
	wide  int
}

// show shows the progress; ops < 0: the number of operations is not known.
func (p *progress) show(ops int64) {
	if _, _, terminal := cli.Terminal(p.w); p.o.quiet || !terminal {
		return
	}
	if p.begin.IsZero() {
		p.begin = time.Now().Add(-p.o.Time / 10)
	}
	line := fmt.Sprintf("%s: %v", p.path, p.o.Time)
	if ops >= 0 {
		line = fmt.Sprintf("%s: %.1f s of %v, %d operations", p.path, time.Since(p.begin).Seconds(), p.o.Time, ops)
	}
	p.wide = max(p.wide, len(line))
	fmt.Fprintf(p.w, "\r%-*s", p.wide, line)
}

// done clears the line.
func (p *progress) done() {
	if p.wide > 0 {
		fmt.Fprintf(p.w, "\r%*s\r", p.wide, "")
	}
}

// table prints what was measured.
func (o *options) table(w io.Writer, paths []string, results []result) error {
	what := []string{map[bool]string{true: "random", false: "sequential"}[o.Random],
		map[bool]string{true: "writes", false: "reads"}[o.Write], "of " + o.Block.String() + ",",
		map[bool]string{true: "direct,", false: "cached,"}[o.Direct], fmt.Sprintf("depth %d, %v each", o.Depth, o.Time)}
	fmt.Fprintf(w, "%s\n", strings.Join(what, " "))
	t := tabwriter.NewWriter(w, 0, 8, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "path\tIOPS\tMB/s\tCPU µs/op\tp50 µs\tp99 µs\tthreads\t")
	for i, r := range results {
		perSecond := float64(r.Ops) / r.Seconds
		threads := "-"
		if r.Threads > 0 {
			threads = strconv.Itoa(r.Threads)
		}
		fmt.Fprintf(t, "%s\t%.0f\t%.1f\t%.2f\t%.1f\t%.1f\t%s\t%s\n", paths[i], perSecond,
			perSecond*float64(o.Block)/1e6, float64(r.CPU.Nanoseconds())/1e3/float64(max(r.Ops, 1)), float64(r.P50)/1e3,
			float64(r.P99)/1e3, threads, r.Note)
	}
	return t.Flush()
}
