// Package bench implements "ringo bench", which measures Ringo beside packages net and os on this machine, and "ringo
// bench file", which measures reads and writes of a file in several ways.
package bench

import (
	"flag"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"ringo/cmd/ringo/internal/cli"
)

const fileHelp = `usage: ringo bench file [flag ...]

Measures reads or writes of a file in several ways, one after the other, each in a
process of its own:

  os         goroutines with package os
  goroutine  goroutines with package file: the hosted ring, where there is one
  task       tasks of one loop with package file, on io_uring
  offload    tasks of one loop with package file, on epoll: workers, or native AIO
  fio        the program fio with io_uring, the same job, where it is installed

The table has operations per second, MB per second, processor time per operation in µs
(of the process, its start included), the latencies that half and 99 % of the operations
keep below, in µs, and the most threads that the process had at once.

The test file is made in the directory for temporary files, or with -file under that
name, and removed at the end. A file that is there before is only ever read.
`

// options are the flags of ringo bench file.
type options struct {
	Write   bool
	Random  bool
	Direct  bool
	Depth   int
	Block   byteSize
	Time    time.Duration
	File    string
	size    byteSize
	paths   string
	quiet   bool
	Blocks  int64 // number of blocks in the file, once it is there
	pathset []string
}

const (
	depthMax     = 4096
	blockMax     = 16 << 20
	defaultTime  = 5 * time.Second
	defaultSize  = 256 << 20
	defaultBlock = 4 << 10
)

func parse(args []string, stdout io.Writer) (*options, error) {
	o := &options{Block: defaultBlock, size: defaultSize}
	fs := flag.NewFlagSet("bench file", flag.ContinueOnError)
	rw, order := "", ""
	fs.StringVar(&rw, "rw", "read", "`kind` of operation: read or write")
	fs.StringVar(&order, "order", "random", "`order` of the offsets: random or sequential")
	fs.BoolVar(&o.Direct, "direct", false,
		"past the page cache (O_DIRECT); without, the file is in it at the begin of a run")
	fs.IntVar(&o.Depth, "depth", 32, "`number` of operations at once: of goroutines, or of tasks")
	fs.Var(&o.Block, "block", "`size` of an operation, such as 4K")
	fs.DurationVar(&o.Time, "time", defaultTime, "`duration` of the run of each path")
	fs.StringVar(&o.File, "file", "",
		"`name` of the test file, which may be an old one for reads; empty: a temporary one")
	fs.Var(&o.size, "size", "`size` of a test file that is made, such as 256M")
	fs.StringVar(&o.paths, "paths", strings.Join(paths, ","),
		"`list` of what to measure; fio is left out with a word if it is not installed")
	fs.BoolVar(&o.quiet, "quiet", false, "show no progress, which is for terminals only")
	if err := cli.Parse(fs, args, stdout, fileHelp); err != nil {
		return nil, err
	}
	o.Write, o.Random = rw == "write", order == "random"
	o.pathset = strings.Split(o.paths, ",")
	var m cli.Mistakes
	m.Want(rw == "read" || rw == "write", "-rw %q: want read or write", rw)
	m.Want(order == "random" || order == "sequential", "-order %q: want random or sequential", order)
	m.Want(o.Depth >= 1 && o.Depth <= depthMax, "-depth %d: want 1 to %d", o.Depth, depthMax)
	m.Want(o.Block >= 1 && o.Block <= blockMax, "-block %v: want 1 to %v", o.Block, byteSize(blockMax))
	m.Want(o.Time >= 10*time.Millisecond && o.Time <= time.Hour, "-time %v: want 10ms to 1h", o.Time)
	m.Want(o.size >= o.Block, "-size %v: want a -block (%v) at least", o.size, o.Block)
	for i, p := range o.pathset {
		m.Want(slices.Contains(paths, p), "-paths: unknown path %q: want %s", p, strings.Join(paths, ", "))
		m.Want(!slices.Contains(o.pathset[:i], p), "-paths: %s is there twice", p)
	}
	return o, m.Err()
}

// Run runs "ringo bench" with the arguments after that word. It returns a *cli.UsageError for a wrong command line.
func Run(args []string, stdout, stderr io.Writer) error {
	switch {
	case len(args) == 1 && args[0] == workerFlag:
		return work(stdout)
	case len(args) == 1 && args[0] == childFlag:
		return beChild(stdout)
	case len(args) > 0 && args[0] == "file":
		o, err := parse(args[1:], stdout)
		if err != nil {
			return err
		}
		return o.run(stdout, stderr)
	case len(args) > 0 && !strings.HasPrefix(args[0], "-"):
		return cli.Usage("can't measure %q: want file, or no word for servers and files beside packages net and os",
			args[0])
	}
	return runSuite(args, stdout, stderr)
}

// byteSize is the value of a flag for a number of bytes.
type byteSize int64

func (s byteSize) String() string {
	for i, unit := range []string{"G", "M", "K"} {
		if n := int64(1) << (30 - 10*i); int64(s) >= n && int64(s)%n == 0 {
			return strconv.FormatInt(int64(s)/n, 10) + unit
		}
	}
	return strconv.FormatInt(int64(s), 10)
}

// Set parses digits and K, M or G, which are powers of 1024.
func (s *byteSize) Set(text string) error {
	digits, shift := text, 0
	if i := strings.IndexAny(text, "KMG"); i >= 0 && i == len(text)-1 {
		digits, shift = text[:i], 10*(1+strings.IndexByte("KMG", text[i]))
	}
	n, err := strconv.ParseInt(digits, 10, 64)
	if err != nil || n < 1 || n > 1<<50>>shift {
		return fmt.Errorf("want a number of bytes, 1 to %v, such as 4096, 4K or 256M", byteSize(1<<50))
	}
	*s = byteSize(n << shift)
	return nil
}
