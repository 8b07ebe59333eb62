package uring

import (
	"strings"

	"ringo/internal/op"
	"ringo/internal/sys"
	"ringo/stats"
	"ringo/uring"
)

// Each op goes by the first of its ways that this kernel allows, which is chosen once, when the ring is opened.

// index returns the two flags that ways depend on as two bits.
func index(f op.Flags) int {
	i := 0
	if f&op.Multishot != 0 {
		i |= 1
	}
	if f&op.Select != 0 {
		i |= 2
	}
	return i
}

var byIndex = [4]op.Flags{0, op.Multishot, op.Select, op.Multishot | op.Select}

func (d *ring) way(o *op.Op) *op.Way { return d.ways[o.Code][index(o.Flags)] }

// offer is what this kernel offers.
type offer struct {
	ops   uring.OpSet
	check func(name string) bool
	// blame returns what is really missing if a check counts only together with others. If it is nil, it is the check
	// itself.
	blame func(name string) string
}

// lacks returns the name of what the way needs and the kernel does not have; empty if it has all.
func (k *offer) lacks(w *op.Way) string {
	for _, check := range w.Checks {
		if !k.check(check) {
			if k.blame != nil {
				return k.blame(check)
			}
			return check
		}
	}
	if w.How != op.ByOffload && !k.ops.Has(w.Opcode) {
		return "op:" + strings.ToLower(w.Opcode.String())
	}
	return ""
}

// choose picks the way of every op. The error names an op without a way, and what it lacks.
func (d *ring) choose(k *offer) error {
	d.edges = k.check(uring.CheckPollMultishot)
	for code := range op.Codes {
		for i, flags := range byIndex {
			name := kindName(code, flags)
			if name == "" {
				continue
			}
			way, lack := pick(code.Ways(), flags, k)
			if way == nil {
				return &uring.FeatureError{Name: lack + " for " + name}
			}
			d.ways[code][i] = way
			if lack != "" {
				d.degraded[code] |= 1 << i
			}
			if row := &op.Table[code]; row.Prep != nil || row.Interest != 0 { // it may wait, so users may ask how
				d.used = append(d.used, stats.Way{Op: name, Way: way.Name, Lacks: lack})
			}
		}
	}
	return nil
}

// pick returns the first way that the kernel allows, and what the best one lacks. If it allows none, lack is what the
// last one lacks, which needs least.
func pick(ways []op.Way, flags op.Flags, k *offer) (way *op.Way, lack string) {
	last := ""
	for i := range ways {
		if !ways[i].Serves(flags) {
			continue
		}
		lacks := k.lacks(&ways[i])
		if lacks == "" {
			return &ways[i], lack
		}
		if lack == "" {
			lack = lacks
		}
		last = lacks
	}
	return nil, last
}

// kindName returns the name of ops of a code with these flags; empty if there are none.
func kindName(code op.Code, flags op.Flags) string {
	def := &op.Table[code]
	name := def.Name
	if flags&op.Multishot != 0 {
		if !def.Multishot || def.Select && flags&op.Select == 0 {
			return ""
		}
		name += ", multishot"
	}
	if flags&op.Select != 0 {
		if !def.Select {
			return ""
		}
		name += ", buffer selected"
	}
	return name
}

// begin returns how an op waits first, and counts ops that can't go their best way.
func (d *ring) begin(o *op.Op) uint8 {
	if d.degraded[o.Code]&(1<<index(o.Flags)) != 0 {
		d.stats.Fallbacks++
	}
	return d.mode(o)
}

// mode returns how an op waits on its way.
func (d *ring) mode(o *op.Op) uint8 {
	switch how := d.way(o).How; {
	case how == op.ByOffload && o.Def().Kind == op.Blocking, o.Flags&op.Offload != 0:
		return waitsFile
	case how == op.ByEntry && d.selects(o): // the kernel does not have the pool's buffers
	case how == op.ByEntry:
		return waitsItself
	case how == op.ByEntries:
		return waitsNext
	case how == op.ByOffload && sys.IsRegular(o.FD.Sys()):
		return waitsFile
	}
	if d.edges && d.selects(o) && o.Flags&op.Multishot != 0 {
		return waitsEdge
	}
	return waitsReady
}
