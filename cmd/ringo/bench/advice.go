package bench

import (
	"fmt"
	"strings"
)

// An Advice says what to do about one thing, and which figures that rests on.
type Advice struct {
	Topic  string `json:"topic"`
	Advice string `json:"advice"`
	Reason string `json:"reason"`
}

// The names of cells and rows that advice looks for.
const (
	cellTCP    = "tcp"
	cellHTTP   = "http"
	cellUDP    = "udp"
	cellAlone  = "alone"
	cellLoops  = "loops"
	cellPlaces = "places"
	cellRead   = "read"
	cellAppend = "append"
	cellDirect = "direct"

	rowNet   = "net"
	rowSpin  = "spin"
	rowOne   = "one loop"
	rowTwo   = "two loops"
	rowFree  = "free"
	rowBound = "bound"
	rowOS    = "os"
	rowFile  = "file"
)

// matters is the smallest difference, as a part of 1, that is worth changing a program for, even if it is seen.
const matters = 0.03

// advise returns what the figures speak for. There is no advice about what was not measured.
func advise(r *Report) (all []Advice) {
	cells := map[string]*Cell{}
	for _, c := range r.Cells {
		cells[c.Name] = c
	}
	onDriver, driver := adviseDriver(r.Auto, cells)
	for _, one := range []*Advice{
		onDriver, adviseNet(r.Auto, cells), adviseLoops(cells[cellLoops]),
		adviseSpin(cells[cellAlone]), advisePlace(cells[cellPlaces]), adviseRead(cells[cellRead], driver),
		adviseDirect(cells[cellDirect], driver), adviseAppend(cells[cellAppend], driver),
	} {
		if one != nil {
			all = append(all, *one)
		}
	}
	return all
}

// measured returns rows of a cell, nil unless all of them have figures.
func measured(c *Cell, names ...string) (rows []*Row) {
	if c == nil {
		return nil
	}
	for _, name := range names {
		row := c.row(name)
		if row == nil || row.CPU == nil {
			return nil
		}
		rows = append(rows, row)
	}
	return rows
}

// loads are the names of the cells in which drivers are compared.
var loads = []string{cellTCP, cellHTTP, cellUDP}

// adviseDriver looks for a driver that beats auto's choice in at least one load and loses in none. It also returns the
// driver that the program has if it follows the advice.
func adviseDriver(auto string, cells map[string]*Cell) (advice *Advice, driver string) {
	rivals := map[string]string{} // by name, what speaks for each; empty: nothing
	var order, ties []string
	for _, name := range loads {
		c := cells[name]
		if measured(c, auto) == nil {
			continue
		}
		for _, row := range c.Rows {
			if row.Auto == nil {
				continue
			}
			words, known := rivals[row.Name]
			if !known {
				order = append(order, row.Name)
			}
			switch {
			case row.Auto.worse(matters):
				words = "lost"
			case row.Auto.better(matters) && words != "lost":
				words = strings.TrimPrefix(words+"; "+fmt.Sprintf("%s, %.2f times the %ss for the CPU of %s", c.Title,
					row.Auto.Median, c.Unit, auto), "; ")
			}
			rivals[row.Name] = words
		}
	}
	if len(order) == 0 {
		return nil, auto
	}
	best, most := "", 0.0
	for _, name := range order {
		switch words := rivals[name]; {
		case words == "":
			ties = append(ties, name)
		case words != "lost":
			for _, load := range loads {
				if row := cells[load].find(name); row != nil && row.Auto.better(matters) && row.Auto.Median > most {
					best, most = name, row.Auto.Median
				}
			}
		}
	}
	switch {
	case best != "":
		return &Advice{"driver", fmt.Sprintf("Set Config.Driver to %q, or RINGO_DRIVER.", best), rivals[best] +
			"; and no " +
			"load of these in which it costs more."}, best
	case len(ties) > 0:
		return &Advice{"driver", "Leave Config.Driver alone: auto takes " + auto + ".", "No difference seen between " +
			auto + " and " + strings.Join(ties, ", ") + " that would be worth a setting." + runnerUp(auto, cells,
			order)}, auto
	}
	return &Advice{"driver", "Leave Config.Driver alone: auto takes " + auto + ".",
		"No other driver does a request for less." + runnerUp(auto, cells, order)}, auto
}

// find is row for a cell that may be nil.
func (c *Cell) find(name string) *Row {
	if c == nil {
		return nil
	}
	return c.row(name)
}

// runnerUp compares auto's choice with another driver, in the first load that has both.
func runnerUp(auto string, cells map[string]*Cell, order []string) string {
	for _, load := range loads {
		for _, name := range order {
			if rows := measured(cells[load], auto, name); rows != nil {
				return fmt.Sprintf(" %s: %.2f µs of CPU a %s on %s, %.2f on %s.", cells[load].Title, rows[0].CPU.Median,
					cells[load].Unit, auto, rows[1].CPU.Median, name)
			}
		}
	}
	return ""
}

// adviseNet says whether Ringo pays here at all.
func adviseNet(auto string, cells map[string]*Cell) *Advice {
	var words []string
	better, worse, rows := 0, 0, 0
	for _, name := range loads {
		found := measured(cells[name], auto)
		if found == nil || found[0].Thrift == nil {
			continue
		}
		rows++
		switch t := found[0].Thrift; {
		case t.better(matters):
			better++
		case t.worse(matters):
			worse++
		}
		words = append(words, cells[name].Title+": "+times(found[0].Thrift))
	}
	reason := fmt.Sprintf("Requests for the same CPU, %s beside package net. %s.", auto, strings.Join(words, "; "))
	switch {
	case rows == 0:
		return nil
	case better > 0 && worse == 0:
		return &Advice{"package net", "Servers of this kind gain by Ringo here.", reason}
	case better == 0 && worse > 0:
		return &Advice{"package net", "Stay with package net for servers of this kind.", reason}
	case better == 0:
		return &Advice{"package net", "Nothing speaks for Ringo here, and nothing against it.", reason}
	}
	return &Advice{"package net", "It depends on the load: measure your own.", reason}
}

// times returns a ratio in words.
func times(r *Ratio) string {
	if r == nil {
		return "not measured"
	}
	if !r.Seen {
		return "no difference seen"
	}
	return fmt.Sprintf("%.2f times (%.2f to %.2f)", r.Median, r.Low, r.High)
}

func adviseLoops(c *Cell) *Advice {
	rows := measured(c, rowOne, rowTwo)
	if rows == nil || rows[1].Thrift == nil {
		return nil
	}
	reason := fmt.Sprintf("On one CPU a %s takes %.2f µs with one loop and %.2f with two.", c.Unit, rows[0].CPU.Median,
		rows[1].CPU.Median)
	switch t := rows[1].Thrift; {
	case t.worse(matters):
		return &Advice{"loops", "No more loops than CPUs: leave Config.Loops alone, which makes one for each.", reason}
	case t.better(matters):
		return &Advice{"loops", "More loops than CPUs do no harm here: try twice as many with your own load.", reason}
	}
	return &Advice{"loops", "Leave Config.Loops alone, which makes one for each CPU.",
		reason + " No difference seen, so more loops than CPUs gain nothing."}
}

func adviseSpin(c *Cell) *Advice {
	rows := measured(c, rowOne, rowSpin)
	if rows == nil || rows[1].Delay == nil || rows[0].P50 == nil || rows[1].P50 == nil {
		return nil
	}
	reason := fmt.Sprintf("One connection alone waits %.1f µs for half of its answers with %s and %.1f without; a %s "+
		"takes %.1f µs of CPU and %.1f.", rows[1].P50.Median, rows[1].About, rows[0].P50.Median, c.Unit,
		rows[1].CPU.Median, rows[0].CPU.Median)
	switch d := rows[1].Delay; {
	case d.better(2*matters) && rows[1].Thrift.worse(matters):
		return &Advice{"spin", "Config.Spin pays if latency is what you sell: it buys it for CPU.", reason}
	case d.better(2 * matters):
		return &Advice{"spin", "Set Config.Spin: it lowers latency here, and no CPU was seen to pay for it.", reason}
	case d.worse(matters):
		return &Advice{"spin", "Leave Config.Spin at 0: it makes answers later here.", reason}
	}
	return &Advice{"spin", "Leave Config.Spin at 0.", reason + " That is no difference, or none that pays."}
}

func advisePlace(c *Cell) *Advice {
	rows := measured(c, rowFree, rowBound)
	if rows == nil || rows[1].Thrift == nil || rows[1].Speed == nil {
		return nil
	}
	reason := fmt.Sprintf("Bound, %s: %.2f µs of CPU a %s and %.0f %ss a second; free, %.2f and %.0f.", rows[1].About,
		rows[1].CPU.Median, c.Unit, rows[1].PerSecond.Median, c.Unit, rows[0].CPU.Median, rows[0].PerSecond.Median)
	thrift, speed := rows[1].Thrift, rows[1].Speed
	switch {
	case (thrift.better(matters) || speed.better(matters)) && !thrift.worse(matters) && !speed.worse(matters):
		return &Advice{"place", "Set Config.Place to PerCPU if nothing else needs these CPUs.", reason}
	case thrift.worse(matters) || speed.worse(matters):
		return &Advice{"place", "Leave Config.Place at Anywhere: the scheduler finds better places.", reason}
	}
	return &Advice{"place", "Leave Config.Place at Anywhere.", reason + " No difference seen that pays."}
}

func adviseRead(c *Cell, driver string) *Advice {
	rows := measured(c, rowOS)
	if rows == nil {
		return nil
	}
	return adviseFile(c, driver, "cached reads",
		"Tasks may read what is in memory by package file: it costs no more than package os.",
		"Reads from memory are cheaper by package os, on goroutines; a task needs package file all the same, since "+
			"package os would stop its loop.")
}

func adviseDirect(c *Cell, driver string) *Advice {
	return adviseFile(c, driver, "reads from disk", "Read past the page cache by package file.",
		"Package os is enough for reads past the page cache here.")
}

func adviseAppend(c *Cell, driver string) *Advice {
	return adviseFile(c, driver, "appends", "Append and sync by package file.",
		"Package os is enough for appends with a sync each.")
}

// adviseFile looks for the way of package file that beats package os most, among those that the program has:
// goroutines, or tasks on its driver. The figures of tasks on other drivers are named, but no reason to change the
// driver.
func adviseFile(c *Cell, driver, topic, yes, no string) *Advice {
	if measured(c, rowOS) == nil {
		return nil
	}
	var best *Row
	var words []string
	for _, row := range c.Rows {
		if row.Thrift == nil || row.CPU == nil {
			continue
		}
		words = append(words, row.Name+": "+row.gain())
		if row.Name != rowFile && row.Name != driver {
			continue
		}
		if best == nil || row.Thrift.Median > best.Thrift.Median {
			best = row
		}
	}
	if best == nil {
		return nil
	}
	reason := "Beside package os, " + strings.Join(words, "; ") + "."
	switch {
	case best.Thrift.better(matters) || best.Speed.better(matters) && !best.Thrift.worse(matters):
		way := " Best: in tasks."
		if best.Name == rowFile {
			way = " Best: on goroutines."
		}
		return &Advice{topic, yes + way, reason}
	case best.Thrift.worse(matters):
		return &Advice{topic, no, reason}
	}
	return &Advice{topic, "Take whichever suits the program: no difference seen that pays.", reason}
}

// gain returns what a way gains over the base, in words.
func (r *Row) gain() string {
	if !r.Thrift.Seen && !r.Speed.Seen {
		return "no difference seen"
	}
	return "for the same CPU " + times(r.Thrift) + ", in the same time " + times(r.Speed)
}
