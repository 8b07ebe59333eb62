//go:build linux

package main

import (
	"fmt"
	"slices"
	"strings"
)

// cell is a load: connections, bytes a message, messages in flight on each connection.
type cell struct{ conns, size, depth int }

func (c cell) String() string {
	if c.depth > 1 {
		return fmt.Sprintf("%dx%dx%d", c.conns, c.size, c.depth)
	}
	return fmt.Sprintf("%dx%d", c.conns, c.size)
}

// ratioBound is what a server's ratio to package net usually is in a cell.
type ratioBound struct {
	server string
	cell   cell
	usual  float64
}

func (b ratioBound) String() string { return fmt.Sprintf("%s %v", b.server, b.cell) }

func (b ratioBound) floor() float64 { return b.usual * (1 - lossMax) }

// judge compares the median of the rounds' ratios with the bound.
func (b ratioBound) judge(ratios []float64) (line string, ok bool) {
	if len(ratios) == 0 {
		return fmt.Sprintf("%-22s %-9v no round was measured", b.server, b.cell), false
	}
	low, median, high := quartiles(ratios)
	ok = median >= b.floor()
	word := "ok"
	switch {
	case !ok:
		word = fmt.Sprintf("FAILS: %.0f %% under the usual %.2f", 100*(1-median/b.usual), b.usual)
	case median > b.usual/(1-lossMax):
		word = fmt.Sprintf("ok, and so much over the usual %.2f that bounds.go should know", b.usual)
	}
	return fmt.Sprintf("%-22s %-9v x net %.3f (%.3f to %.3f), at least %.3f  %s", b.server, b.cell, median, low, high,
		b.floor(), word), ok
}

// quartiles are the values below which a quarter, half and three quarters lie.
func quartiles(v []float64) (low, median, high float64) {
	v = slices.Sorted(slices.Values(v))
	at := func(q float64) float64 {
		x := q * float64(len(v)-1)
		i := int(x)
		if i+1 == len(v) {
			return v[i]
		}
		return v[i] + (x-float64(i))*(v[i+1]-v[i])
	}
	return at(0.25), at(0.5), at(0.75)
}

// callBound is how many calls of some names together come with a request.
type callBound struct {
	names    string // separated by a space
	min, max float64
}

// enough requests tell calls that come with them from those that come with connections.
func enough(conns int) int { return 100 * conns }

// judgeCalls compares counts of calls, by name, with the bounds. Calls that no bound names may come with a connection
// and not with a request.
func judgeCalls(bounds []callBound, counts map[string]int, requests, conns int) (lines []string, ok bool) {
	ok = true
	slack := float64(connMax*conns + onceMax)
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
		sum := 0.0
		for name := range strings.FieldsSeq(b.names) {
			bounded[name] = true
			sum += float64(counts[name])
		}
		note(sum >= b.min*n-slack && sum <= b.max*n+slack, "%-28s %8.4f a request, %v to %v", b.names, sum/n, b.min,
			b.max)
	}
	inRuntime := 0.0
	total := 0
	for name, count := range counts {
		total += count
		switch {
		case bounded[name]:
		case slices.Contains(runtimeCalls, name):
			inRuntime += float64(count)
		case float64(count) > slack:
			note(false, "%-28s %8.4f a request, which should make none", name, float64(count)/n)
		}
	}
	note(inRuntime <= runtimeMax*n+slack, "%-28s %8.4f a request, at most %v", "Go's runtime", inRuntime/n, runtimeMax)
	lines = append(lines, fmt.Sprintf("%-28s %8.4f a request: %d calls for %d requests", "all", float64(total)/n, total,
		requests))
	return lines, ok
}
