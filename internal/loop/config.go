package loop

import (
	"log/slog"
	"time"

	"ringo/internal/driver"
	"ringo/internal/kernel"
	"ringo/internal/places"
)

// Config is a Run's configuration, checked and with its defaults filled in.
type Config struct {
	Loops      int
	Plan       places.Plan // where they are
	Entries    int
	Buffers    int
	BufferSize int
	Leases     int
	Budget     int
	Spin       time.Duration
	SQPoll     time.Duration
	NoBatching bool
	Grace      time.Duration
	Offload    int
	Stall      time.Duration
	Hold       time.Duration // 0 or less: nobody looks for holds
	HoldsShown time.Duration // how long the holds of a place take together that Complain is told of
	OnStall    func(l *Loop, d time.Duration, stack []byte)
	OnPanic    func(l *Loop, v any, stack []byte)

	// Complain is told of stalls, if there is no OnStall, of lasting shortages, of holds, deadlocks and too many loops,
	// unless there is a Logger. It does not wait.
	Complain func(text string)

	LabelTasks bool         // each task has labels of runtime/pprof that name it
	Logger     *slog.Logger // told of what begins and ends, at debug level, and of what Complain is; nil: nobody is
	LogTasks   bool         // also of tasks

	// Start is called by the first task of each loop before what that is there for; nil: nothing is. T.
	Start func(l *Loop) error
	// Observe makes who looks at the Run; nil: nobody does.
	Observe func(s *Set) RunObserver
	// Kernel is asked for all that never waits; kernel.Host if nil. The drivers' ops are
	// for the same one.
	Kernel kernel.Kernel
	// Open makes a loop's driver on the calling thread.
	Open func(cfg driver.Config) (driver.Driver, error)
	// World is what the loops are in; nil: this machine.
	World World
	// CPUs is how many processors the process may use; kernel.CPUCount if nil.
	CPUs func() int
	// Clock is the time, with a monotonic reading; time.Now but in tests.
	Clock func() time.Time
	// Since is the time since one that Clock gave; time.Since, or nil to ask Clock.
	Since func(time.Time) time.Duration
	// HardStop is how long Run waits for the next of its cancelled tasks to end before it gives up, see UntilGivenUp.
	HardStop time.Duration
	// Warn is told what the runtime changes about the process. It does not wait.
	Warn func(format string, args ...any)

	// ShowPanic makes the error that users see of a panic, and ShownPanic tells such
	// an error again, nil for any other value. Without them a PanicError is shown as
	// it is.
	ShowPanic  func(p *PanicError) error
	ShownPanic func(v any) *PanicError
}

func (c *Config) kernel() kernel.Kernel {
	if c.Kernel == nil {
		return kernel.Process()
	}
	return c.Kernel
}
