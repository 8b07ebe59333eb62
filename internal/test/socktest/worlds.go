//go:build linux

package socktest

import (
	"sync/atomic"
	"testing"

	"ringo/internal/test/testmain"
	"ringo/sim"
)

// RunWorlds is Run in simulated worlds, with tasks as callers. Each cell runs in a world of its own for each of the
// seeds from 1 on. One cell in part runs.
func RunWorlds(t *testing.T, seeds, part int) {
	runWorlds(t, matrix{worlds: uint64(seeds), part: uint64(part)})
}

// RunGoroutines is RunWorlds with goroutines as callers.
func RunGoroutines(t *testing.T, seeds, part int) {
	runWorlds(t, matrix{worlds: uint64(seeds), part: uint64(part), beside: true})
}

func runWorlds(t *testing.T, like matrix) {
	var cells atomic.Int64
	var parts []matrixPart
	for _, net := range networks {
		if net.again && !testmain.Long() {
			continue
		}
		for _, who := range callers {
			if (who.on == nil) != like.beside || omits(true, "sock", net.name, who.name, "", "") != nil {
				continue
			}
			parts = append(parts, matrixPart{net.name + "/" + who.name, func(t *testing.T) {
				m := like
				m.calls(t, net, who)
				cells.Add(m.cells)
			}})
		}
	}
	together(t, parts)
	t.Logf("%d cells, %d worlds of each", cells.Load(), like.worlds)
}

// RunFilesInWorlds is RunFiles in simulated worlds. One cell in part runs.
func RunFilesInWorlds(t *testing.T, seeds, part int) {
	runFiles(t, func() *matrix { return &matrix{worlds: uint64(seeds), part: uint64(part)} })
}

// fileInWorlds runs a cell of package file in its worlds.
func (m *matrix) fileInWorlds(t *testing.T, make func() *fileCell) {
	for _, seed := range m.seeds(t) {
		m.fileInWorld(t, seed, make)
	}
}

func (m *matrix) fileInWorld(t *testing.T, seed uint64, make func() *fileCell) {
	inWorld(m.tb(t), seed, nil, false, m.storm, func(w *runs) (ended bool, err error) {
		x := make()
		x.runs = w
		return x.ev.ends, x.run(t)
	})
}

// tb returns the test for the worlds, marked for goroutines if the callers are goroutines.
func (m *matrix) tb(t *testing.T) testing.TB {
	if m.beside {
		return sim.Goroutines(t)
	}
	return t
}

// omits reports whether the matrix leaves out a cell, or else the error with which the place refuses its call.
func (m *matrix) omits(of, net, who, row, event string) (refused error, omitted bool) {
	switch o := omits(m.worlds > 0, of, net, who, row, event); {
	case o == nil:
		return nil, false
	case event == "plain" && o.gives != nil:
		return o.gives, false
	}
	return nil, true
}

// inWorlds runs a cell in its worlds.
func (m *matrix) inWorlds(t *testing.T, make func() *cell) {
	for _, seed := range m.seeds(t) {
		first := make()
		inWorld(m.tb(t), seed, first.net, first.ev.drains, m.storm, func(w *runs) (ended bool, err error) {
			x := make() // a new one for each time: a failed world is played again
			x.runs = w
			return x.ev.ended, x.run()
		})
	}
}
