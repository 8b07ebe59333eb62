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
	Plan       places.Plan // the CPUs of the loops
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
	Hold       time.Duration // 0 or less: no watch for holds
	HoldsShown time.Duration // the total of the holds at one place from which on Complain gets a report
	OnStall    func(l *Loop, d time.Duration, stack []byte)
	OnPanic    func(l *Loop, v any, stack []byte)

	// Complain gets reports of stalls, unless there is an OnStall, and of lasting shortages, holds, deadlocks and too
	// many loops. With a Logger these go there instead. Complain does not wait.
	Complain func(text string)

	LabelTasks bool         // give each task runtime/pprof labels that name it
	Logger     *slog.Logger // gets what begins and ends, at debug level, and what Complain would get; nil: none
	LogTasks   bool         // log tasks to Logger, too

	// Start is called by the first task of each loop before Run's fn; nil for none. T.
	Start func(l *Loop) error
	// Observe makes the observer of the Run; nil for none.
	Observe func(s *Set) RunObserver
	// Kernel takes the calls that never wait; kernel.Process() if nil. It must be the kernel that the drivers' ops go
	// to.
	Kernel kernel.Kernel
	// Open makes a loop's driver on the calling thread.
	Open func(cfg driver.Config) (driver.Driver, error)
	// World is the world that the loops run in; nil means this machine.
	World World
	// CPUs returns how many processors the process may use; kernel.CPUCount if nil.
	CPUs func() int
	// Clock returns the time with a monotonic reading. It is time.Now except in tests.
	Clock func() time.Time
	// Since returns the time since one that Clock returned; time.Since, or nil to compute it from Clock.
	Since func(time.Time) time.Duration
	// HardStop is how long Run waits for the next of its cancelled tasks to end before it gives up, see UntilGivenUp.
	HardStop time.Duration
	// Warn gets what the runtime changes about the process. It does not wait.
	Warn func(format string, args ...any)

	// ShowPanic turns a panic into the error that users see. ShownPanic turns such an error back, and returns nil for
	// any other value. Without them users see the PanicError itself.
	ShowPanic  func(p *PanicError) error
	ShownPanic func(v any) *PanicError
}

func (c *Config) kernel() kernel.Kernel {
	if c.Kernel == nil {
		return kernel.Process()
	}
	return c.Kernel
}
