// Package probe implements "ringo probe", which reports what io_uring offers here, and which driver is used.
package probe

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"io"
	"os"
	"runtime"
	"time"

	"ringo"
	"ringo/cmd/ringo/internal/cli"
	"ringo/debug"
	"ringo/internal/posix"
	"ringo/uring"
)

const help = `usage: ringo probe [-json]

Tells which driver "auto" takes and why; every driver, with what keeps it from running
here; how many loops a Run has by default and why, and on which CPUs each Config.Place
has them; how each operation is run on a ring; what to change to get better ones; and
what io_uring offers, all found out by asking the kernel. Made to be pasted into a bug
report. With RINGO_DRIVER set it also tells what comes of that.

The exit code is 1 if the driver that programs would get here does not work.
`

// A Finding is all that ringo probe finds out. Its JSON form is stable.
type Finding struct {
	Ringo      string `json:"ringo"` // version, and the commit if it is known
	Go         string `json:"go"`
	CPUs       int    `json:"cpus"` // that the process may use
	GOMAXPROCS int    `json:"gomaxprocs"`
	// the CPUs that loops would get, by Config.Place
	Places   *debug.Places `json:"places"`
	Auto     choice        `json:"auto"`               // what Config.Driver's default takes
	Override *choice       `json:"override,omitempty"` // the driver with RINGO_DRIVER, if that is set
	Ladder   []choice      `json:"ladder"`             // every driver, the better ones first
	Broken   []broken      `json:"broken,omitempty"`   // what is broken in this kernel: the uring driver does without
	// why native AIO, which serves files with O_DIRECT where there is no ring, can't be used
	AIO    string        `json:"aio,omitempty"`
	Mask   string        `json:"mask,omitempty"` // RINGO_MASK, which hides features of the kernel from all of this
	Advice []string      `json:"advice"`         // what to change; empty: nothing
	Uring  *uring.Report `json:"uring"`
}

// A broken feature is in this kernel and passes its check, but loses or mixes up data: see debug.Defect.
type broken struct {
	Check string `json:"check"`
	Until string `json:"until"` // the first release of Linux that has mended it
	Why   string `json:"why"`
}

// A choice is the result of asking for a driver: the driver that runs, or an error.
type choice struct {
	Asked    string   `json:"asked"`
	Driver   string   `json:"driver,omitempty"`
	Reason   string   `json:"reason,omitempty"`
	Features []string `json:"features,omitempty"`
	Entries  int      `json:"sq_entries,omitempty"`
	Ways     []Way    `json:"ways,omitempty"` // how it runs each operation, for drivers that have several ways
	Error    string   `json:"error,omitempty"`
	Step     string   `json:"step,omitempty"` // of the error, if known
	Hint     string   `json:"hint,omitempty"`

	err error
}

// A Way is how a driver runs the operations of one kind.
type Way struct {
	Op    string `json:"op"`
	Way   string `json:"way"`
	Lacks string `json:"lacks,omitempty"` // what a better way would need
}

// Run runs "ringo probe" with the arguments after that word. It returns an error, after the report is written, if the
// driver that programs would get does not work, and a *cli.UsageError for a wrong command line.
func Run(args []string, stdout, _ io.Writer) error {
	fs := flag.NewFlagSet("probe", flag.ContinueOnError)
	asJSON := fs.Bool("json", false, "write JSON")
	if err := cli.Parse(fs, args, stdout, help); err != nil {
		return err
	}
	f, err := find()
	if err != nil {
		return err
	}
	if *asJSON {
		e := json.NewEncoder(stdout)
		e.SetIndent("", "  ")
		err = e.Encode(f)
	} else {
		_, err = io.WriteString(stdout, f.String())
	}
	return errors.Join(err, f.failure())
}

func find() (*Finding, error) {
	f := &Finding{
		Ringo: cli.BuildVersion(), Go: runtime.Version(), CPUs: runtime.NumCPU(), GOMAXPROCS: runtime.GOMAXPROCS(0),
		Mask: os.Getenv(maskVariable),
	}
	asked := os.Getenv(driverVariable)
	if asked != "" {
		c := choose(asked)
		f.Override = &c
	}
	os.Unsetenv(driverVariable) // it would override the configuration
	// Drivers come before the rest for two reasons: a Run first makes sure of the descriptors without which, at the
	// limit, Go's runtime ends the program when it reads its first file; and the kernel does not charge the memory of
	// closed rings yet.
	f.Auto = choose(autoDriver)
	if setup := (*ringo.SetupError)(nil); errors.Is(f.Auto.err, posix.EMFILE) && !errors.As(f.Auto.err, &setup) {
		return nil, f.Auto.err
	}
	offers, err := debug.Probe()
	if err != nil {
		return nil, err
	}
	f.Uring, f.AIO = offers.Uring, offers.AIO
	f.Places = debug.FindPlaces()
	for _, name := range offers.Drivers {
		if name != autoDriver {
			f.Ladder = append(f.Ladder, chooseAgain(name))
		}
	}
	for _, d := range offers.Defects {
		f.Broken = append(f.Broken, broken(d))
	}
	f.Advice = f.advise()
	return f, nil
}

// failure returns why programs can't run here, nil if they can.
func (f *Finding) failure() error {
	c := &f.Auto
	if f.Override != nil {
		c = f.Override
	}
	return c.err
}

// Names of environment variables, and of the driver that chooses one of the others.
const (
	driverVariable = "RINGO_DRIVER"
	maskVariable   = "RINGO_MASK"
	autoDriver     = "auto"
)

// chooseAgain is choose in a process that has had rings before. The kernel charges their memory for a moment after they
// are closed, so that a choice may fail with ENOMEM that would work in a new process; chooseAgain tries again then.
func chooseAgain(asked string) (c choice) {
	const tries, pause = 4, 50 * time.Millisecond
	for range tries {
		if c = choose(asked); !errors.Is(c.err, posix.ENOMEM) {
			break
		}
		time.Sleep(pause)
	}
	return c
}

// choose starts a Run with a driver, as programs do, and returns what it got. If RINGO_DRIVER is set, Run takes the
// driver from that.
func choose(asked string) choice {
	c := choice{Asked: asked}
	cfg := &ringo.Config{Loops: 1}
	if os.Getenv(driverVariable) == "" {
		cfg.Driver = asked
	}
	c.err = ringo.Run(context.Background(), cfg, func(l *ringo.Loop) error {
		info := l.Info()
		c.Driver, c.Reason, c.Features, c.Entries = info.Name, info.Reason, info.Features, info.Entries
		for _, w := range info.Ways {
			c.Ways = append(c.Ways, Way(w))
		}
		return nil
	})
	if c.err != nil {
		c.Error = c.err.Error()
	}
	if s := (*ringo.SetupError)(nil); errors.As(c.err, &s) {
		c.Step, c.Hint = s.Step, s.Hint
	}
	return c
}
