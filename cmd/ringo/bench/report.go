package bench

import (
	"math"
	"slices"

	"ringo"
)

// A Report is all that ringo bench finds out. Its JSON form is stable.
type Report struct {
	Ringo       string   `json:"ringo"` // version, and the commit if it is known
	Go          string   `json:"go"`
	System      string   `json:"system"`
	CPU         string   `json:"cpu"`
	CPUs        int      `json:"cpus"` // that the process may use
	Mitigations []string `json:"mitigations,omitempty"`
	Charges     Charges  `json:"charges"`
	Seconds     float64  `json:"seconds"`       // how long the rounds took
	Rounds      int      `json:"rounds"`        // rounds that were measured to the end
	Window      float64  `json:"window"`        // seconds of each measurement
	Stopped     bool     `json:"stopped"`       // a signal ended it before all rounds were done
	Others      float64  `json:"others"`        // mean number of CPUs that other programs used meanwhile
	Auto        string   `json:"auto"`          // the driver that Config.Driver's default takes
	Cells       []*Cell  `json:"cells"`         //
	Advice      []Advice `json:"advice"`        //
	Out         []string `json:"out,omitempty"` // what could not be measured here, and why
}

// Charges is how long the host takes to go into the kernel, in µs.
type Charges struct {
	Call  *Figure `json:"call_us"`            // getppid, a system call that does next to nothing
	Enter *Figure `json:"enter_us,omitempty"` // io_uring_enter for one entry that does nothing
	Wake  *Figure `json:"wake_us"`            // from one loop to another that sleeps
}

// A Cell is one kind of work, done in several ways.
type Cell struct {
	Name  string `json:"name"`
	Title string `json:"title"`
	Unit  string `json:"unit"` // what is counted: request, read, append
	Base  string `json:"base"` // name of the row that the others are compared with
	Rows  []*Row `json:"rows"`
}

// A Row is one of the ways in which a cell's work is done.
type Row struct {
	Name      string  `json:"name"`
	About     string  `json:"about"`
	CPU       *Figure `json:"cpu_us,omitempty"` // CPU time of the server per unit
	PerSecond *Figure `json:"per_second,omitempty"`
	P50       *Figure `json:"p50_us,omitempty"`
	P99       *Figure `json:"p99_us,omitempty"`

	// How many times better than the base, taken within each round: above 1 is better.
	Thrift *Ratio `json:"thrift,omitempty"` // by units per second of CPU
	Speed  *Ratio `json:"speed,omitempty"`  // by units per second
	Delay  *Ratio `json:"delay,omitempty"`  // by the base's p50 divided by this one's
	Auto   *Ratio `json:"auto,omitempty"`   // thrift in comparison with the driver that auto takes

	Failed string `json:"failed,omitempty"` // why the row was given up

	samples map[int]Sample // by number of the round
}

// A Sample is the result of one window. All of it was verified: a wrong byte or a lost answer is an error and makes no
// Sample.
type Sample struct {
	Done    int64   // units
	Seconds float64 // how long they took
	CPU     float64 // µs of CPU time of the server
	P50     float64 // µs
	P99     float64
}

func (c *Cell) row(name string) *Row {
	for _, r := range c.Rows {
		if r.Name == name {
			return r
		}
	}
	return nil
}

// values returns of(s) for the samples s of the rounds in which this row and all others were measured.
func (r *Row) values(of func(Sample) float64, others ...*Row) (v []float64) {
	for round := range maxRound(r.samples) + 1 {
		s, ok := r.samples[round]
		for _, o := range others {
			_, there := o.samples[round]
			ok = ok && there
		}
		if ok {
			v = append(v, of(s))
		}
	}
	return v
}

func maxRound(samples map[int]Sample) int {
	last := -1
	for round := range samples {
		last = max(last, round)
	}
	return last
}

// cpuOf, rateOf, thriftOf and swiftOf are figures of one sample. More is better for all but cpuOf, so that ratios of
// them say how many times better.
func cpuOf(s Sample) float64    { return s.CPU / float64(s.Done) }
func rateOf(s Sample) float64   { return float64(s.Done) / s.Seconds }
func thriftOf(s Sample) float64 { return float64(s.Done) / math.Max(s.CPU, 1e-3) }
func swiftOf(s Sample) float64  { return 1 / math.Max(s.P50, 1e-3) }

// conclude computes the figures and the advice from the samples.
func (r *Report) conclude() {
	for _, c := range r.Cells {
		base, auto := c.row(c.Base), c.row(r.Auto)
		for _, row := range c.Rows {
			if len(row.samples) == 0 {
				continue
			}
			row.CPU, row.PerSecond = figureOf(row.values(cpuOf)), figureOf(row.values(rateOf))
			row.P50 = figureOf(row.values(func(s Sample) float64 { return s.P50 }))
			row.P99 = figureOf(row.values(func(s Sample) float64 { return s.P99 }))
			if base != row {
				row.Thrift, row.Speed = row.beside(base, thriftOf), row.beside(base, rateOf)
				row.Delay = row.beside(base, swiftOf)
			}
			if auto != row && auto != nil && auto != base && slices.Contains(ringo.Drivers(), row.Name) {
				row.Auto = row.beside(auto, thriftOf)
			}
		}
	}
	r.Advice = advise(r)
}

// beside returns how many times better this row is than another, nil if no round has both.
func (r *Row) beside(o *Row, of func(Sample) float64) *Ratio {
	if o == nil {
		return nil
	}
	mine, others := r.values(of, o), o.values(of, r)
	if len(mine) == 0 {
		return nil
	}
	return ratioOf(mine, others)
}
