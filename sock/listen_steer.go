package sock

import (
	"errors"
	"fmt"
	"slices"

	"ringo/internal/loop"
	"ringo/internal/sys"
)

// steering is ListenConfig.SteerCPU of a set: the loops of its listeners, by the numbers of their sockets in the
// kernel's group. That appends a new socket, and puts the last in the place of one that closes. Of two that close at
// once the order is not known, so until the next one opens two loops may have each other's connections.
type steering []*loop.Loop

// steerable returns why no CPU is a loop's own.
func (lc *ListenConfig) steerable(l *loop.Loop) error {
	if !lc.SteerCPU || len(l.Config().Plan.Set(l.Index())) == 1 {
		return nil
	}
	return fmt.Errorf("ListenConfig.SteerCPU: %w: loop %d is not bound to a CPU of its own; see Config.Place",
		errors.ErrUnsupported, l.Index())
}

// to makes a new socket, which listens already, that of a loop's CPU. The caller holds the set's mu.
func (s *steering) to(l *loop.Loop, o socket) error {
	all := append(*s, l)
	if len(all) > 1 { // from the second socket on they are a group
		if err := o.attach(all.program()); err != nil {
			return fmt.Errorf("ListenConfig.SteerCPU: %w", err)
		}
	}
	*s = all
	return nil
}

// leave is called when a loop's socket has closed. The caller holds the set's mu.
func (s *steering) leave(l *loop.Loop) {
	if i := slices.Index(*s, l); i >= 0 {
		last := len(*s) - 1
		(*s)[i] = (*s)[last]
		*s = (*s)[:last]
	}
}

// program takes the socket of the loop that is bound to the CPU on which it runs.
func (s steering) program() []sys.Filter {
	all := []sys.Filter{{Code: bpfWord, K: bpfCPU}}
	for i, l := range s {
		cpu := l.Config().Plan.Set(l.Index())[0]
		all = append(all, sys.Filter{Code: bpfEqual, K: uint32(cpu), Jf: 1}, sys.Filter{Code: bpfReturn, K: uint32(i)})
	}
	return append(all, sys.Filter{Code: bpfReturn, K: bpfNobody})
}
