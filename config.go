package ringo

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/bits"
	"os"
	"strings"
	"time"

	"ringo/internal/driver"
	"ringo/internal/driver/open"
	"ringo/internal/kernel"
	"ringo/internal/loop"
)

// Config says how to run. The zero value of each field is its default, and a nil
// *Config is all defaults. Run checks it once and reports all mistakes together.
type Config struct {
	// Driver is what runs the operations: "auto" (the default), "uring",
	// "uring-poll", "epoll", "poll" or "select". auto takes io_uring where it works
	// and costs less than epoll, which is from Linux 6.1 on, else the first of the last
	// three that does work; Loop.Info says which, and why. If a driver
	// that is named can't run here, Run fails. The environment variable RINGO_DRIVER overrides it,
	// with the same words. Goroutines that use package file share io_uring rings whatever
	// Driver says; RINGO_DRIVER other than auto and uring turns these off, too.
	Driver string
	// Loops is how many loops to make, 1 to 1024; the default is GOMAXPROCS,
	// which knows of cgroup limits, as it is without other Runs. More loops, in all Runs
	// together, than the process may use CPUs only cost: that is reported on stderr, once.
	Loops int
	// Pin binds loop i to the i-th CPU that the process may use. More loops than
	// CPUs are an error.
	Pin bool
	// Entries is the size of a loop's submission queue, 2 to 32768, rounded up to
	// a power of two; the default is 1024. Drivers: uring. With auto a loop takes
	// half, down to 32, when the kernel refuses memory.
	Entries int
	// Buffers is how many buffers a loop has to receive into, up to 32768, rounded
	// up to a power of two; the default is 256.
	Buffers int
	// BufferSize is the bytes in each, 64 to 1 MiB; the default is 16384. What is not received on
	// io_uring comes in buffers that are an eighth larger, and where more comes at once than a buffer holds
	// what follows comes in buffers that are four times as large, as long as that goes on.
	BufferSize int
	// Leases is how many buffers one connection may hold, read or unread, 1 to Buffers; the default
	// is 4; one of them may be a large one. Next fails at the bound, and receiving stops there: what
	// arrives later stays in the kernel. What arrives at once, before the loop looks, may exceed it:
	// by 4 times as many bytes, 16 times on a connection that has been read without delay, and before
	// Linux 6.17, where a receive on io_uring can't be limited, by 64 buffers.
	Leases int
	// Budget is how many tasks are resumed in a turn before the kernel is asked
	// again, 1 to 65536; the default is 256. It bounds the other parts of a turn,
	// too: as many timers fire and tasks start from outside, four times as many
	// completions are told, and tasks make 16 times as many calls that need not wait.
	Budget int
	// Spin is how long a loop may look for work before it sleeps, at most 1 s; 0,
	// the default, is not at all. It buys latency for processor time: the loop
	// adapts, and looks only briefly while looking finds nothing.
	Spin time.Duration
	// SQPoll has a thread of the kernel's take the entries of each loop's ring, so that a busy loop submits without
	// a system call, and look for them for so long before it sleeps: 1 ms to 10 s, in whole milliseconds; 0, the
	// default, is no such thread. It is for machines with a processor to spare for each loop: the thread takes all of
	// one while it looks, what the loop saves is less than that, and completions interrupt the loop where otherwise it
	// collects them in the call that submits. Measure before you keep it; where both share a processor all is slower.
	// It is a feature of io_uring (Linux 5.11, 5.13 without privileges): other drivers do without, and Loop.Info says
	// whether it is in use. See io_uring_setup(2), IORING_SETUP_SQPOLL.
	SQPoll time.Duration
	// NoBatching has each write go out by a call of its own. Otherwise small writes of tasks travel
	// together at the end of the loop's turn, see sock.Conn.Write.
	NoBatching bool
	// Grace is the time to drain after Run's context ended; the default is 5 s,
	// negative is none. When it is over, what still runs is reported to stderr, in a line,
	// and cancelled.
	Grace time.Duration
	// Offload is how many Loop.Offload calls may run at once, in all loops
	// together, up to 65536; the default is 256. More queue. Look-ups of names, and
	// calls of package file, have slots of their own.
	Offload int
	// StallLimit is how long a turn may take, in which one task after the other
	// runs; the default is 100 ms, negative is no limit. Longer turns are counted
	// in Stats, and reported while they last, once a turn: that is when the stack
	// shows what breaks the rule that a task may wait only through Ringo, or
	// computes for so long. A turn that is long because the machine did not run
	// the loop's thread, or had stopped the program, is counted and not reported. Callbacks of package event that park,
	// so that others behind them wait for so long, count and are reported as one.
	StallLimit time.Duration
	// OnStall is told of such turns, on an ordinary goroutine: how long so far, and
	// the stack of what holds the loop, with a line behind it if small writes of its tasks
	// are held as well (see sock.Conn.Flush). nil: a report goes to stderr, at most one
	// in 10 s of each loop. To take the stack stops the program for some 10 µs for
	// each task there is. No task is there to take a panic in OnStall: it ends the
	// program.
	OnStall func(l *Loop, d time.Duration, stack []byte)
	// HoldLimit is how long a task may hold its loop before that is noted with its place, see Loop.Holds, at least
	// 1 ms; the default is 5 ms; negative is no limit, as is the default if StallLimit is negative. When the holds of a
	// task in one place come to 4 × HoldLimit, all of the loop are reported on stderr, at most once a minute and at the
	// end of Run.
	// RINGO_DEBUG=stall=2ms in the environment overrides it, and has all of them reported.
	//
	// What it costs: for 10 s after a hold a goroutine looks at the loops every half of HoldLimit, or once in
	// HoldLimit while they rest, which takes up to 100 µs with its wake: 2 % of a processor by default. To see where a
	// task computes all goroutines are stopped for a moment, for one percent of the time at most. Where the task can't
	// be looked at alone, on other processors than amd64 and arm64 or where the kernel refuses process_vm_readv, the
	// stacks of all goroutines are taken within the same bound, if they are 800 at most.
	HoldLimit time.Duration
	// LabelTasks has all tasks begin with two labels of runtime/pprof, so that profiles are split by them: "task", the
	// name as Loop.Tasks has it, and "loop", the loop's Index. Tasks of Loop.GoNamed have them anyway. What a task
	// starts inherits them, as all labels. To begin a task costs four times as much.
	LabelTasks bool
	// Logger is told, at debug level, of what begins and ends: loops, with their drivers and why these were chosen, the
	// drain, and if it is enabled for that level when Run is called, each task. At warn level it is told what stderr
	// would be otherwise, each as "report": stalls, holds, deadlocks, calls that wait for a slot, accepts that are put
	// off, what the drain did not wait for; and of each stall that OnStall is told of. nil, the default: stderr is. It
	// is called on the loops' threads, where a handler that waits stops a loop: one of package logs does not; of stalls
	// on another. In a test, slog.NewTextHandler(t.Output(), nil) keeps the reports with the test.
	Logger *slog.Logger
	// OnPanic is told of a panic in a task, with the task's stack. It runs as a
	// task. nil, or if OnPanic panics itself: the program crashes, as a panic in a
	// goroutine makes it.
	OnPanic func(l *Loop, v any, stack []byte)
}

func init() {
	loop.Resolve = func(config any) (*loop.Config, error) { return config.(*Config).resolve() }
}

var hardStop = 5 * time.Second // but in tests

// resolve checks a configuration and fills in the defaults.
func (c *Config) resolve() (*loop.Config, error) {
	if c == nil {
		c = &Config{}
	}
	var errs []error
	number := func(name string, v, def, min, max int) int {
		if v == 0 {
			return def
		}
		if v < min || v > max {
			errs = append(errs, fmt.Errorf("ringo: Config.%s is %d: want %d to %d, or 0 for %d",
				name, v, min, max, def))
			return def
		}
		return v
	}
	out := &loop.Config{
		Loops:      number("Loops", c.Loops, min(loop.Procs(), 1024), 1, 1024),
		Pin:        c.Pin,
		Entries:    powerOfTwo(number("Entries", c.Entries, 1024, 2, 32768)),
		Buffers:    powerOfTwo(number("Buffers", c.Buffers, 256, 2, 32768)),
		BufferSize: number("BufferSize", c.BufferSize, 16384, 64, 1<<20),
		Budget:     number("Budget", c.Budget, 256, 1, 65536),
		Offload:    number("Offload", c.Offload, 256, 1, 65536),
		ShowPanic:  showPanic,
		ShownPanic: shownPanic,
		Spin:       c.Spin,
		SQPoll:     c.SQPoll,
		NoBatching: c.NoBatching,
		LabelTasks: c.LabelTasks,
		Logger:     c.Logger,
		LogTasks:   c.Logger != nil && c.Logger.Enabled(context.Background(), slog.LevelDebug),
		Grace:      c.Grace,
		Stall:      c.StallLimit,
		Clock:      time.Now,
		Since:      time.Since,
		HardStop:   hardStop,
		Warn:       debugf,
		Complain:   onStderr.say,
	}
	out.Leases = number("Leases", c.Leases, min(4, out.Buffers), 1, out.Buffers)
	if c.Spin < 0 || c.Spin > time.Second {
		errs = append(errs, fmt.Errorf("ringo: Config.Spin is %v: want 0 to 1s", c.Spin))
	}
	if c.SQPoll != 0 && (c.SQPoll < time.Millisecond || c.SQPoll > 10*time.Second) {
		errs = append(errs, fmt.Errorf("ringo: Config.SQPoll is %v: want 1ms to 10s, or 0 for none", c.SQPoll))
	}
	if c.Grace == 0 {
		out.Grace = 5 * time.Second
	}
	if c.StallLimit == 0 {
		out.Stall = 100 * time.Millisecond
	}
	hold, shown, err := c.hold()
	if err != nil {
		errs = append(errs, err)
	}
	out.Hold, out.HoldsShown = hold, shown
	if c.Pin {
		if cpus, err := kernel.CPUs(); err != nil {
			errs = append(errs, fmt.Errorf("ringo: Config.Pin: %w", err))
		} else if out.Loops > len(cpus) {
			errs = append(errs, fmt.Errorf("ringo: Config.Pin: %d loops, but the process may use %d CPUs", out.Loops,
				len(cpus)))
		}
	}
	name, origin, err := c.driver()
	if err != nil {
		errs = append(errs, err)
	}
	out.Open = func(dc driver.Config) (driver.Driver, error) { return openDriver(name, origin, dc) }
	if c.OnStall != nil {
		out.OnStall = func(l *loop.Loop, d time.Duration, stack []byte) { c.OnStall((*Loop)(l), d, stack) }
	}
	if c.OnPanic != nil {
		out.OnPanic = func(l *loop.Loop, v any, stack []byte) { c.OnPanic((*Loop)(l), v, stack) }
	}
	return out, errors.Join(errs...)
}

// hold is the limit of holds, the environment's, else the configuration's, and how long those of a place take together
// that are reported.
func (c *Config) hold() (limit, shown time.Duration, err error) {
	limit = c.HoldLimit
	if limit > 0 && limit < holdMin {
		err = fmt.Errorf("ringo: Config.HoldLimit is %v: want %v or more, 0 for %v, or negative for none", limit,
			holdMin, holdDefault)
	}
	if limit == 0 && c.StallLimit >= 0 {
		limit = holdDefault
	}
	d, wrong := debugSettings()
	switch {
	case wrong != nil:
		return 0, 0, errors.Join(err, wrong)
	case d.hold > 0:
		return d.hold, 0, err
	}
	return limit, 4 * limit, err
}

const (
	holdDefault = 5 * time.Millisecond
	holdMin     = time.Millisecond
)

// driver is the name to ask for, the environment's, else the configuration's, and
// which of them says so. Both are checked: a wrong word must not wait for the day
// on which the variable is not set.
func (c *Config) driver() (name, origin string, err error) {
	name, origin = cmp.Or(c.Driver, open.Auto), "Config.Driver"
	if wrong := open.Check(name); wrong != nil {
		err = fmt.Errorf("ringo: Config.Driver: %w", wrong)
	}
	if env := os.Getenv(driverVariable); env != "" {
		name, origin = env, driverVariable
		if wrong := open.Check(name); wrong != nil {
			err = errors.Join(err, fmt.Errorf("ringo: %s: %w", driverVariable, wrong))
		}
	}
	return name, origin, err
}

const (
	driverVariable = "RINGO_DRIVER"
	debugVariable  = "RINGO_DEBUG"
)

func openDriver(name, origin string, dc driver.Config) (driver.Driver, error) {
	dc.Reason = origin + " asks for it"
	d, err := open.Open(name, dc)
	if err != nil {
		if origin == driverVariable && name != open.Auto {
			err = fmt.Errorf("%s asks for %s: %w", driverVariable, name, err)
		}
		return nil, setupError{err}
	}
	info := d.Info()
	debugf("loop %d: driver %s: %s; features %s", dc.Loop, info.Name, info.Reason, strings.Join(info.Features, " "))
	return d, nil
}

// debugf prints to stderr if RINGO_DEBUG has driver=1.
func debugf(format string, args ...any) {
	if d, _ := debugSettings(); d.driver {
		onStderr.say(fmt.Sprintf("ringo: "+format+"\n", args...))
	}
}

// debugging is what RINGO_DEBUG asks for.
type debugging struct {
	driver, quit bool
	hold         time.Duration
}

// debugSettings are those of RINGO_DEBUG, of which a wrong one is an error that has the right ones.
func debugSettings() (d debugging, err error) {
	for setting := range strings.SplitSeq(os.Getenv(debugVariable), ",") {
		key, value, _ := strings.Cut(setting, "=")
		on, right := value == "1", value == "0" || value == "1"
		switch key {
		case "driver":
			d.driver = on
		case "quit":
			d.quit = on
		case "stall":
			var wrong error
			d.hold, wrong = time.ParseDuration(value)
			right = wrong == nil && d.hold >= holdMin
		default:
			right = setting == ""
		}
		if !right {
			err = errors.Join(err, fmt.Errorf("ringo: %s: %q is no setting: want driver=1, quit=1, or stall=2ms, a "+
				"time of %v or more, or several, with commas between", debugVariable, setting, holdMin))
		}
	}
	return d, err
}

func powerOfTwo(n int) int { return 1 << bits.Len(uint(n-1)) }
