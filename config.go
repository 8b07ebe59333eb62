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
	"ringo/internal/loop"
	"ringo/internal/watch"
)

// Config configures Run. The zero value of each field means its default; a nil *Config means all defaults. Run checks
// the Config once, when it is called, and reports all mistakes together.
type Config struct {
	// Driver selects how operations run: "auto" (the default), "uring", "uring-poll", "epoll", "kqueue", "poll" or
	// "select". From Linux 6.1 on, auto takes io_uring where it works and costs less than epoll; otherwise it takes the
	// first of the last four that this system has. Loop.Info says which driver a loop has, and why. Run fails if a
	// named driver can't run here. The environment variable RINGO_DRIVER overrides Driver with the same values.
	// Goroutines that use package file share io_uring rings whatever Driver says; a RINGO_DRIVER other than auto and
	// uring turns these rings off as well.
	Driver string
	// Loops is the number of loops, 1 to 1024. The default is the least of GOMAXPROCS (without what Runs have added to
	// it), the number of places that Place has and, unless the environment sets GOMAXPROCS, the CPU quota of the
	// process's cgroups and of those above them, rounded down, but at least 1. The default is determined once, when Run
	// is called; Loop.Info says which of these decided. If all Runs together have more loops than the process may use
	// CPUs, the additional loops only cost time; this is reported once on stderr.
	Loops int
	// Place says how loops share CPUs: Anywhere (the default), PerCPU, PerCore or PerNode. Run fails if there are more
	// loops than the policy has places for.
	Place Placement
	// CPUs lists the CPUs that loops may be bound to, by the kernel's numbers; the default is all that the process may
	// use. If the process may not use one of them, Run fails with an error that names it. With Anywhere each loop is
	// bound to all CPUs in the list. Runs do not coordinate: give each of them CPUs of its own.
	CPUs []int
	// Reserve is how many CPUs, or with PerCore whole cores, are left to everything but the loops of this Run; the
	// default, 0, is none. While the Run lasts, the process's other threads are kept to the CPUs that none of its loops
	// is bound to, or with PerCore that share no core with a CPU of a loop. So a loop has its CPUs whenever it needs
	// them, whatever goroutines compute. The other threads include those of C code, and loops of other Runs that are
	// not bound, but not threads that the program itself has bound, nor the kernel's threads for rings. Processes that
	// are started meanwhile inherit the restriction, except those of packages proc and upgrade. GOMAXPROCS is raised
	// further, to 8 for each CPU that is left to the other threads: a loop that wakes needs one of the scheduler's Ps,
	// and is late if goroutines that compute have them all. Run fails if Reserve would leave no CPU to the loops, and,
	// with EBUSY, while another Run has a Reserve. See sched_setaffinity(2).
	Reserve int
	// Entries is the size of a loop's submission queue, 2 to 32768, rounded up to a power of two; the default is 1024.
	// Only the uring driver uses it. With auto, a loop halves it, down to 32, if the kernel refuses the memory.
	Entries int
	// Buffers is the number of receive buffers of a loop, up to 32768, rounded up to a power of two; the default is
	// 256.
	Buffers int
	// BufferSize is the size of each receive buffer in bytes, 64 to 1 MiB; the default is 16384. Buffers are an eighth
	// larger where data is not received through io_uring. While more data arrives at once than fits one buffer, buffers
	// of four times the size are used.
	BufferSize int
	// Leases is how many buffers one connection may hold, read or unread, 1 to Buffers; the default is 4. One of them
	// may be a large one. At the bound Next fails and receiving stops: later data stays in the kernel. Data that
	// arrives in one turn may exceed the bound: by 4 times as many bytes, by 16 times on a connection that has been
	// read without delay, and by 64 buffers before Linux 6.17, where a receive on io_uring can't be limited.
	Leases int
	// Budget is how many tasks are resumed in a turn before the loop polls the kernel again, 1 to 65536; the default is
	// 256. It also bounds the other parts of a turn: timers that fire and tasks started from outside (once Budget
	// each), completions handled (4 times), and calls of tasks that need not wait (16 times).
	Budget int
	// Spin is how long a loop may busy-poll before it sleeps, at most 1 s; 0, the default, means not at all. It trades
	// CPU time for latency. The loop adapts: it spins only briefly while spinning finds nothing.
	Spin time.Duration
	// SQPoll, if not 0, gives each loop's ring a kernel thread that takes its entries, so that a busy loop submits
	// without a system call. The value is how long that thread polls before it sleeps: 1 ms to 10 s, in whole
	// milliseconds; 0, the default, means no thread. Use it only with a spare CPU for each loop. While the thread
	// polls, it uses a whole CPU, more than the loop saves, and completions interrupt the loop, which otherwise
	// collects them when it submits. If loop and thread share a CPU, everything is slower. Measure before you keep it.
	// Only the uring driver uses SQPoll (Linux 5.11, 5.13 without privileges); Loop.Info says whether it is in use. See
	// io_uring_setup(2), IORING_SETUP_SQPOLL.
	SQPoll time.Duration
	// NoBatching makes each write a system call of its own. By default small writes of tasks are sent together at the
	// end of the loop's turn; see sock.Conn.Write.
	NoBatching bool
	// Start, if not nil, is called on all loops at the same time. Once it has returned on all of them, Run's function
	// is called; servers such as sock.ListenAndServe accept no connection earlier. Use it to make what a loop needs;
	// see Sharded. It runs in the loop's first task and may park. If it returns an error, Run returns that error.
	Start func(l *Loop) error
	// Grace is how long the drain may last after Run's context has ended; the default is 5 s, negative is none. Then
	// the remaining tasks are reported on stderr, in one line, and cancelled. Loop.SetGrace changes it.
	Grace time.Duration
	// Offload is how many Loop.Offload calls may run at once, in all loops together, up to 65536; the default is 256.
	// Further calls queue. Name look-ups and calls of package file have slots of their own.
	Offload int
	// StallLimit is how long a turn of the loop may take; the default is 100 ms, negative is no limit. Longer turns are
	// stalls. Each is counted in Stats, and reported once, while it lasts, if the stack still shows the task that
	// blocks outside Ringo or computes for too long. Turns that are long because the thread was not scheduled or the
	// program was stopped are counted but not reported. A callback of package event that parks, and delays others for
	// that long, counts as a stall and is reported like one.
	StallLimit time.Duration
	// OnStall is called in place of that report, on an ordinary goroutine, with the duration so far and the stack of
	// the task that holds the loop, followed by a line if small writes of its tasks are delayed as well (see
	// sock.Conn.Flush). If it is nil, the report goes to stderr, at most one per loop in 10 s. Taking the stack stops
	// the program for about 10 µs for each task. A panic in OnStall ends the program.
	OnStall func(l *Loop, d time.Duration, stack []byte)
	// HoldLimit is how long a task may hold its loop before Ringo records the hold and where in the code it happened
	// (see Loop.Holds). It is at least 1 ms; the default is 5 ms, or no limit if StallLimit is negative; negative is no
	// limit. When the holds at one location add up to 4 × HoldLimit, all holds of the loop are reported on stderr, at
	// most once a minute and at the end of Run. RINGO_DEBUG=stall=2ms in the environment overrides HoldLimit, and
	// reports every hold.
	//
	// Holds are found by sampling: for 10 s after a hold a goroutine samples the loops every half HoldLimit, or every
	// HoldLimit while they are idle. A sample takes up to 100 µs including the wake, so by default sampling costs 2 %
	// of a CPU. Finding out where a task computes stops all goroutines briefly, for at most 1 % of the time. Where a
	// single task can't be sampled, on architectures other than amd64 and arm64 or where the kernel refuses
	// process_vm_readv, the stacks of all goroutines are taken within the same bound, if there are at most 800.
	HoldLimit time.Duration
	// LabelTasks gives each task two runtime/pprof labels, to split profiles by: "task", its name as in Loop.Tasks, and
	// "loop", the loop's Index. Tasks of Loop.GoNamed always have them. Tasks and goroutines that a task starts inherit
	// them, as with all labels. Starting a task costs four times as much.
	LabelTasks bool
	// Logger receives start and end events at debug level: those of loops, with their drivers and why these were
	// chosen, of the drain, and of each task if that level is enabled when Run is called. At warn level it receives the
	// reports that otherwise go to stderr, each with the attribute "report": stalls, holds, deadlocks, calls that wait
	// for a slot, delayed accepts, tasks that the drain did not wait for. It also receives each stall that OnStall is
	// called for. If it is nil, the default, reports go to stderr. Except for stalls, Logger is called on loop threads,
	// where a handler that blocks stops the loop: use one that does not, such as package logs'. In a test,
	// slog.NewTextHandler(t.Output(), nil) keeps the reports with the test.
	Logger *slog.Logger
	// TasksOnQuit makes the program print its tasks to stderr on SIGQUIT, before the runtime prints the goroutines and
	// ends the program as usual. For each loop it prints at most 20 lines that say what its tasks run and wait for,
	// with similar tasks on one line. RINGO_DEBUG=quit=1 in the environment does the same in every Run. Use it only in
	// programs that do not handle SIGQUIT themselves: os/signal can't tell whether there are other listeners, so these
	// would receive the signal twice. On systems without SIGQUIT it does nothing.
	TasksOnQuit bool
	// OnPanic is called with the value of a panic in a task and the task's stack. It runs as a task. If OnPanic is nil,
	// or panics itself, the program crashes as it does when a goroutine panics.
	OnPanic func(l *Loop, v any, stack []byte)
}

func init() {
	loop.Resolve = func(config any) (*loop.Config, error) { return config.(*Config).resolve() }
}

var hardStop = 5 * time.Second // shorter in tests

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
		Plan:       c.plan(number, &errs),
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
		Observe:    watch.Observe,
	}
	out.Loops = out.Plan.Loops
	if c.Start != nil {
		all := NewBarrier(out.Loops)
		out.Start = func(l *loop.Loop) error {
			if err := c.Start((*Loop)(l)); err != nil {
				return err
			}
			_, err := all.Wait(noContext)
			return err
		}
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

// hold returns the limit of holds: the environment's if it sets one, otherwise the configuration's. shown is how much
// the holds at one place must add up to before they are reported; 0 reports every hold.
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

// driver returns the name of the driver to open, and which setting it comes from: the environment variable if it is
// set, otherwise Config.Driver. It checks both values, so that a mistake in Config.Driver does not stay hidden while
// the variable is set.
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

// debugging holds the settings of RINGO_DEBUG.
type debugging struct {
	driver, quit bool
	hold         time.Duration
}

// debugSettings parses RINGO_DEBUG. If some settings are wrong, it returns an error together with those that are right.
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
