//go:build linux

package main

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"ringo/bench/internal/contest"
	"ringo/bench/internal/report"
)

// cell is a load: connections, bytes a message, messages in flight on each connection.
type cell struct{ conns, size, depth int }

func (c cell) String() string {
	if c.depth > 1 {
		return fmt.Sprintf("%dx%dx%d", c.conns, c.size, c.depth)
	}
	return fmt.Sprintf("%dx%d", c.conns, c.size)
}

// load returns the cell for the load generator.
func (c cell) load() *contest.Cell {
	return &contest.Cell{Load: c.String(), Mode: "echo", Conns: c.conns, Size: c.size, Depth: c.depth}
}

// ratioBound has a server's usual ratios to package net and to C in a cell.
type ratioBound struct {
	server     string
	cell       cell
	toNet, toC float64
}

// none is the ratio to a yardstick that a server is not compared with.
const none = 0

// yardstick is a server that another is compared with, and the usual ratio to it.
type yardstick struct {
	name  string
	usual float64
	loss  float64 // the part of usual that may be missing
}

func (y yardstick) floor() float64 { return y.usual * (1 - y.loss) }

// yardsticks returns package net's server, and the C server that uses the same kernel interface as the driver.
func (b ratioBound) yardsticks() (list []yardstick) {
	driver := strings.Split(b.server, "-")[1]
	for _, y := range []yardstick{{contest.Base, b.toNet, lossMax}, {"c-" + driver, b.toC, lossMax}} {
		if y.usual != none {
			list = append(list, y)
		}
	}
	if len(list) == 1 {
		list[0].loss = lossMaxAlone
	}
	return list
}

// judge compares the medians of the rounds' ratios, by yardstick, with the bounds. A server fails only if it is below
// the bound of every yardstick: if it is below one, that yardstick may be cheaper on this host.
func (b ratioBound) judge(ratios map[string][]float64) (lines []string, ok bool) {
	var under []string
	for _, y := range b.yardsticks() {
		if len(ratios[y.name]) == 0 {
			return []string{fmt.Sprintf("%-22s %-9v no round was measured beside %s", b.server, b.cell, y.name)}, false
		}
		at := func(q float64) float64 { return report.Quantile(ratios[y.name], q) }
		low, median, high := at(0.25), at(0.5), at(0.75)
		word := "ok"
		switch {
		case median < y.floor():
			word = fmt.Sprintf("%.0f %% under the usual %.2f", 100*(1-median/y.usual), y.usual)
			under = append(under, y.name)
		case median > y.usual/(1-y.loss):
			word = fmt.Sprintf("ok, and so much over the usual %.2f that bounds.go should know", y.usual)
		}
		lines = append(lines, fmt.Sprintf("%-22s %-9v x %-7s %.3f (%.3f to %.3f), at least %.3f  %s", b.server, b.cell,
			y.name, median, low, high, y.floor(), word))
	}
	ok = len(under) < len(lines)
	if !ok {
		lines = append(lines, fmt.Sprintf("%-22s %-9v FAILS beside %s", b.server, b.cell, strings.Join(under, " and ")))
	}
	return lines, ok
}

// callBound is how many calls with some names a request makes together.
type callBound struct {
	names    string // separated by a space
	min, max float64
}

// enough returns how many requests it takes to tell their calls from those of the connections.
func enough(conns int) int { return 100 * conns }

// judgeCalls compares counts of calls, by name, with the bounds. Calls without a bound may depend on connections and
// on time, but not on requests.
func judgeCalls(bounds []callBound, counts map[string]int, requests, conns int, took time.Duration) (lines []string,
	ok bool) {
	ok = true
	slack := float64(connMax*conns + onceMax)
	timedSlack := slack + timedSecond*took.Seconds()
	note := func(good bool, format string, v ...any) {
		word := "ok"
		if !good {
			word, ok = "FAILS", false
		}
		lines = append(lines, fmt.Sprintf(format, v...)+"  "+word)
	}
	if requests < enough(conns) {
		note(false, "%d requests are too few to count by", requests)
		return lines, ok
	}
	n := float64(requests)
	bounded := map[string]bool{}
	for _, b := range bounds {
		sum, over := 0.0, slack
		for name := range strings.FieldsSeq(b.names) {
			bounded[name] = true
			sum += float64(counts[name])
			if slices.Contains(timedCalls, name) {
				over = timedSlack
			}
		}
		note(sum >= b.min*n-slack && sum <= b.max*n+over, "%-28s %8.4f a request, %v to %v", b.names, sum/n, b.min,
			b.max)
	}
	timed := 0.0
	total := 0
	for name, count := range counts {
		total += count
		switch {
		case bounded[name]:
		case slices.Contains(timedCalls, name):
			timed += float64(count)
		case float64(count) > slack+otherSecond*took.Seconds():
			note(false, "%-28s %8.4f a request, which should make none", name, float64(count)/n)
		}
	}
	note(timed <= timedMax*n+timedSlack, "%-28s %8.4f a request, at most %v and %d a second", "with time", timed/n,
		timedMax, timedSecond)
	lines = append(lines, fmt.Sprintf("%-28s %8.4f a request: %d calls for %d requests", "all", float64(total)/n, total,
		requests))
	return lines, ok
}
