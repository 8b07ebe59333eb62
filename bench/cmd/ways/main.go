//go:build linux

// Ways compares ways to have a ring do one thing: to receive datagrams, to send them, to receive large messages, to
// answer small ones. Each measurement is a process of its own on -cpu, with the peer's on -peer-cpu; a round is one of
// each way, and each round begins with another. A line is the median over the rounds of how much a millisecond of
// processor time did, and the median of its ratios to the group's first way in the same round, with the quartiles.
//
//	cd bench && go run ./cmd/ways [-rounds 7] [-short] [-cpu 0] [-peer-cpu 1] [GROUP[/CELL[/WAY]] …]
//
// docs/adr/0061 has what came of it. All ways together need Linux 6.12, and two processors. Exit code 1: a run failed.
package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A group is one thing to be done, and the ways to do it.
type group struct {
	name  string
	unit  string
	paced bool // the peer waits, in each turn, until it is told that all has come
	peer  func(c cell, ports []int) error
	cells []cell
	ways  []way
}

// A cell is how much of it.
type cell struct {
	name    string
	sockets int
	size    int // bytes of a message
	depth   int // messages that come at a time on each socket, or that are sent by one enter
	turns   int // how often
}

// A way does what a cell says, and tells the job how far it is.
type way struct {
	name string
	run  func(j *job) error
}

var groups []group

func init() { groups = []group{udpReceive, udpSend, napi, bulk, echo, accepts} }

func main() {
	rounds := flag.Int("rounds", 7, "how often each way runs")
	short := flag.Bool("short", false, "one round of a moment, of each group's first cell if no names are given: "+
		"shows that all runs and measures nothing")
	cpu := flag.Int("cpu", 0, "the processor of what is measured")
	peerCPU := flag.Int("peer-cpu", 1, "the processor of its peer")
	do := flag.String("do", "", "GROUP/CELL/WAY: run it here")
	turns := flag.Int("turns", 0, "with so many turns")
	peer := flag.String("peer", "", "be the peer of GROUP/CELL")
	flag.Parse()
	var err error
	switch {
	case *peer != "":
		err = bePeer(*peer, flag.Args())
	case *do != "":
		err = measure(*do, *turns, *peerCPU)
	default:
		err = compare(*rounds, *short, *cpu, *peerCPU, flag.Args())
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "ways:", err)
		os.Exit(1)
	}
}

func compare(rounds int, short bool, cpu, peerCPU int, names []string) error {
	if short {
		rounds = 1
	}
	asked := func(name string) bool {
		return len(names) == 0 || slices.ContainsFunc(names, func(n string) bool {
			return name == n || strings.HasPrefix(name, n+"/") || strings.HasPrefix(n, name+"/")
		})
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	for _, g := range groups {
		for k, c := range g.cells {
			if short && len(names) == 0 && k > 0 {
				break
			}
			var ways []way
			for _, w := range g.ways {
				if asked(g.name + "/" + c.name + "/" + w.name) {
					ways = append(ways, w)
				}
			}
			if len(ways) == 0 {
				continue
			}
			turns := c.turns
			if short {
				turns = max(turns/200, 10)
			}
			rates, extra := make([][]float64, len(ways)), make([]string, len(ways))
			for r := range rounds {
				for i := range ways {
					k := (i + r) % len(ways)
					rate, more, err := runOne(self, g.name+"/"+c.name+"/"+ways[k].name, turns, cpu, peerCPU)
					if err != nil {
						return err
					}
					rates[k], extra[k] = append(rates[k], rate), more
				}
			}
			fmt.Printf("%s/%s: %s per ms of CPU\n", g.name, c.name, g.unit)
			for k, w := range ways {
				ratios := make([]float64, rounds)
				for r := range ratios {
					ratios[r] = rates[k][r] / rates[0][r]
				}
				fmt.Printf("  %-18s %10.1f   %.3f (%.3f to %.3f)  %s\n", w.name, quantile(rates[k], 0.5),
					quantile(ratios, 0.5), quantile(ratios, 0.25), quantile(ratios, 0.75), extra[k])
			}
		}
	}
	return nil
}

// patience is how long a measurement may take.
const patience = 2 * time.Minute

// runOne has a process of its own do it. What it prints is how much it did, in how many seconds of processor time, and
// words to show.
func runOne(self, name string, turns, cpu, peerCPU int) (rate float64, more string, err error) {
	ctx, stop := context.WithTimeout(context.Background(), patience)
	defer stop()
	cmd := exec.CommandContext(ctx, "taskset", "-c", strconv.Itoa(cpu), self, "-do", name, "-turns",
		strconv.Itoa(turns), "-peer-cpu", strconv.Itoa(peerCPU))
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return 0, "", fmt.Errorf("%s: %w", name, errors.Join(err, ctx.Err()))
	}
	f := strings.SplitN(strings.TrimSpace(string(out)), " ", 3)
	if len(f) < 2 {
		return 0, "", fmt.Errorf("%s says %q", name, out)
	}
	done, err1 := strconv.ParseFloat(f[0], 64)
	seconds, err2 := strconv.ParseFloat(f[1], 64)
	if err := cmp.Or(err1, err2); err != nil || seconds <= 0 {
		return 0, "", fmt.Errorf("%s says %q", name, out)
	}
	if len(f) == 3 {
		more = f[2]
	}
	return done / seconds / 1e3, more, nil
}

// find returns what GROUP/CELL or GROUP/CELL/WAY names.
func find(name string) (group, cell, way, error) {
	f := append(strings.Split(name, "/"), "", "")
	for _, g := range groups {
		for _, c := range g.cells {
			for _, w := range g.ways {
				if g.name == f[0] && c.name == f[1] && (f[2] == "" || w.name == f[2]) {
					return g, c, w, nil
				}
			}
		}
	}
	return group{}, cell{}, way{}, fmt.Errorf("there is no %s", name)
}

// quantile returns the value below which this part of the list lies.
func quantile(list []float64, part float64) float64 {
	sorted := slices.Sorted(slices.Values(list))
	return sorted[min(int(part*float64(len(sorted))), len(sorted)-1)]
}
