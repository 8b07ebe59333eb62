package ringo

import (
	"fmt"
	"os"
	"strconv"

	"ringo/internal/kernel"
	"ringo/internal/places"
	"ringo/internal/rt/sched"
)

// A Placement says how the loops of a Run share CPUs; see Config.Place. All but Anywhere need Linux: elsewhere Run
// fails with errors.ErrUnsupported. CPUs near each other are taken first, so that a few loops share a node and its
// cache: one memory node after the other and, within a node, fast cores before slow ones, one cache after the other,
// and the second threads of cores last.
type Placement int

const (
	// Anywhere leaves the choice of CPUs to the kernel's scheduler.
	Anywhere Placement = 0
	// PerCPU binds each loop to a CPU of its own.
	PerCPU Placement = 1
	// PerCore binds each loop to a CPU of a core of its own, and leaves the core's other CPUs (SMT) free of loops.
	PerCore Placement = 2
	// PerNode distributes loops over the memory nodes (NUMA), and binds each to all CPUs of its node.
	PerNode Placement = 3
)

const (
	_ = -uint(Anywhere ^ Placement(places.Anywhere))
	_ = -uint(PerCPU ^ Placement(places.PerCPU))
	_ = -uint(PerCore ^ Placement(places.PerCore))
	_ = -uint(PerNode ^ Placement(places.PerNode))
)

// String returns the constant's name.
func (p Placement) String() string { return places.Policy(p).String() }

// plan decides how many loops there are and which CPUs they run on, and adds mistakes to errs. number checks a number
// and returns its default for 0.
func (c *Config) plan(number func(name string, v, def, min, max int) int, errs *[]error) places.Plan {
	none := places.Plan{Loops: 1}
	fail := func(format string, args ...any) places.Plan {
		*errs = append(*errs, fmt.Errorf("ringo: Config."+format, args...))
		return none
	}
	ask := places.Ask{Policy: places.Policy(c.Place), CPUs: c.CPUs, Reserve: c.Reserve, Procs: sched.Procs()}
	set, err := strconv.Atoi(os.Getenv("GOMAXPROCS"))
	ask.Fixed = err == nil && set > 0 // as the runtime reads it
	if len(c.CPUs) == 0 {
		ask.CPUs = nil
	}
	if c.Place < Anywhere || c.Place > PerNode {
		return fail("Place is %d: want %v, %v, %v or %v", int(c.Place), Anywhere, PerCPU, PerCore, PerNode)
	}
	if c.Reserve < 0 {
		return fail("Reserve is %d: want 0 or more", c.Reserve)
	}
	if c.Loops != 0 {
		ask.Loops = number("Loops", c.Loops, min(ask.Procs, places.MaxLoops), 1, places.MaxLoops)
	}
	m, err := machine(&ask)
	if err != nil {
		return fail("Place: %w", err)
	}
	p, err := m.Plan(ask)
	if err != nil {
		*errs = append(*errs, err)
		return none
	}
	return p
}

// machine reads what the plan needs to know of the system. A Config that sets Loops and binds nothing needs nothing, so
// that it costs no reads.
func machine(ask *places.Ask) (*places.Machine, error) {
	switch {
	case ask.Binds():
		cpus, err := kernel.CPUs()
		if err != nil {
			return nil, err
		}
		return places.Read(kernel.Root(), cpus), nil
	case ask.Loops > 0:
		return &places.Machine{}, nil
	}
	return &places.Machine{Quota: places.Quota(kernel.Root())}, nil
}
