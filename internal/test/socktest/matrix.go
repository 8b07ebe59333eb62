//go:build linux

package socktest

import (
	"errors"
	"hash/fnv"
	"reflect"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"ringo/internal/test/testmain"
	"ringo/sock"
)

// handles lists the types whose methods have rows, and for each the networks that it is tested on.
var handles = []struct {
	of     reflect.Type
	nets   []string
	rows   []*row
	events []*event
	listen bool
}{
	{of: reflect.TypeFor[*sock.Conn](), nets: []string{"tcp", "tcp-detached", "unix", "pipe", "unixpacket"},
		rows: connRows, events: events},
	{of: reflect.TypeFor[*sock.PacketConn](), nets: []string{"udp"}, rows: udpRows, events: events},
	{of: reflect.TypeFor[*sock.UnixPacketConn](), nets: []string{"unixgram"}, rows: unixgramRows, events: events},
	{of: reflect.TypeFor[*sock.Listener](), nets: []string{"tcp", "unix", "unixpacket"}, rows: listenRows,
		events: listenEvents, listen: true},
	{of: reflect.TypeFor[*sock.Pollable](), nets: []string{"pollable", "pollable-blocking"}, rows: pollRows,
		events: events},
}

// Complete fails for each exported method without a row, and for rows of methods that no longer exist.
func Complete(t *testing.T) {
	for _, h := range handles {
		var have []string
		for _, r := range h.rows {
			name, _, _ := strings.Cut(r.method, "/")
			have = append(have, name)
			if _, ok := h.of.MethodByName(name); !ok {
				t.Errorf("%v has no method %s any more: its row must go", h.of, name)
			}
		}
		for i := range h.of.NumMethod() {
			if name := h.of.Method(i).Name; !slices.Contains(have, name) {
				t.Errorf("%v.%s has no row: add one to internal/test/socktest/rows_*.go, so that every kind of caller "+
					"is tried", h.of, name)
			}
		}
	}
}

// Run runs the matrix on a driver and logs how many cells it ran: one in part of them. Without -long it leaves out
// networks whose handles another network also has.
func Run(t *testing.T, driver string, part int) {
	var cells atomic.Int64
	var parts []matrixPart
	for _, net := range networks {
		if net.again && !testmain.Long() {
			continue
		}
		for _, who := range callers {
			parts = append(parts, matrixPart{net.name + "/" + who.name, func(t *testing.T) {
				m := &matrix{driver: driver, part: uint64(part)}
				defer m.end(t)
				m.calls(t, net, who)
				cells.Add(m.cells)
			}})
		}
	}
	together(t, parts)
	t.Logf("%d cells", cells.Load())
}

// matrixPart is a part of a matrix. Its cells run one after the other.
type matrixPart struct {
	name string
	run  func(t *testing.T)
}

// partsMax is how many parts run at a time. Cells mostly wait, so the number of processors, by which t.Parallel limits
// itself, is no good measure: on a machine with two of them both were idle for more than half of the time.
const partsMax = 8

// together runs parts concurrently, and returns when all have ended.
func together(t *testing.T, parts []matrixPart) {
	room := make(chan struct{}, partsMax)
	var running sync.WaitGroup
	for _, p := range parts {
		running.Go(func() {
			room <- struct{}{}
			defer func() { <-room }()
			t.Run(p.name, p.run)
		})
	}
	running.Wait()
}

// matrix runs cells one after the other.
type matrix struct {
	driver string
	worlds uint64 // the seeds are 1 to worlds; 0: run on the system's kernel
	part   uint64 // one cell in so many runs; 0: all do
	storm  *Storm // the storm that the worlds are in; nil: none
	beside bool   // the callers are goroutines outside the worlds
	cells  int64
	runs   *runs // shared by cells, until a cell ends it
	drains bool  // the home loop of runs has a grace period, so that it can drain
}

// calls runs the cells of one kind of caller on one network.
func (m *matrix) calls(t *testing.T, net *network, who *caller) {
	for _, h := range handles {
		if !slices.Contains(h.nets, net.name) {
			continue
		}
		for _, r := range h.rows {
			name := r.method
			if h.listen {
				name = "Listener." + name
			}
			if r.nets != nil && !slices.Contains(r.nets, net.name) {
				continue
			}
			t.Run(name, func(t *testing.T) {
				for _, ev := range h.events {
					refused, omitted := m.omits(h.of.Elem().Name(), net.name, who.name, r.method, ev.name)
					if !fits(net, who, r, ev) || omitted || !m.takes(t.Name()+"/"+ev.name) {
						continue
					}
					t.Run(ev.name, func(t *testing.T) {
						m.cell(t, func() *cell {
							return &cell{trial: trial{who: who}, net: net, row: r, ev: ev, listen: h.listen,
								refused: refused, turns: int(m.cells)}
						})
					})
				}
			})
		}
	}
}

// fits reports whether the combination makes sense as a cell.
func fits(net *network, who *caller, r *row, ev *event) bool {
	switch {
	case ev.tasks && who.on == nil, ev.conns && (net.packets || net.pollable):
		return false
	case ev.drains && (r.read == nil || net.packets || net.pollable): // a connection with a write under way is not idle
		return false
	case ev.comes && (r.read == nil || r.toEnd):
		return false
	case r.ask != nil:
		return ev.limit == 0 && !ev.partial && !ev.queued && !strings.HasPrefix(ev.name, "deadline")
	case r.raw && ev.partial && !net.packets:
		return false // these methods can't see what the handle has received
	case r.write != nil && !net.fills(): // the write never waits
		return ev.name == "plain" || ev.name == "partial" || strings.HasPrefix(ev.name, "deadline-past")
	case r.write != nil && net.records: // a record can't be sent in parts
		return !strings.HasPrefix(ev.name, "partial-") && ev.name != "deadline-ahead-partial"
	}
	return true
}

// takes reports whether the cell is one of those to run, by a hash of its name. The others are not begun, or tests that
// do nothing would be most of all.
func (m *matrix) takes(name string) bool {
	if m.storm != nil {
		return m.storm.seed(name)>>32%m.storm.Part == 0
	}
	return m.part <= 1 || (hash(name)>>32+today)%m.part == 0
}

// today is the number of the day, on which it depends which cells are the ones in part.
var today = uint64(time.Now().Unix() / (24 * 60 * 60))

func hash(name string) uint64 {
	h := fnv.New64a()
	h.Write([]byte(name))
	return h.Sum64()
}

// cell runs one cell.
func (m *matrix) cell(t *testing.T, make func() *cell) {
	m.cells++
	if m.worlds > 0 {
		m.inWorlds(t, make)
		return
	}
	x := make()
	if x.ev.drains {
		m.end(t) // this cell needs loops that drain
		m.drains = true
	}
	m.open(t)
	x.runs = m.runs
	err := x.run()
	m.close(t, err, x.ev.ended)
	if m.drains {
		m.end(t)
		m.drains = false
	}
}

// open makes the Runs for the next cell, if there are none.
func (m *matrix) open(t *testing.T) {
	if m.runs != nil {
		return
	}
	w, err := newRuns(m.driver, m.drains)
	if err != nil {
		t.Fatal(err)
	}
	m.runs = w
}

// close reports the result of a cell. ended says that the cell has ended the home loop.
func (m *matrix) close(t *testing.T, err error, ended bool) {
	var hung *hang
	switch {
	case errors.As(err, &hung):
		m.runs = nil // its Run can't be ended
	case ended:
		m.runs.other.end()
		m.runs = nil
	}
	if err != nil {
		t.Error(err)
	}
}

func (m *matrix) end(t *testing.T) {
	if m.runs == nil {
		return
	}
	if err := m.runs.end(); err != nil {
		t.Errorf("Run: %v", err)
	}
	m.runs = nil
}
