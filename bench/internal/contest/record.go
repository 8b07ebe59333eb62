package contest

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"time"

	"ringo/bench/internal/host"
	"ringo/bench/internal/sample"
)

// Record is everything known of a run, from which a page is made. As text it is lines of JSON: the description, the
// samples in the order in which they came, and the end.
type Record struct {
	About   About
	Samples []sample.Sample
	End     End
}

// About describes a run: what was measured, and where.
type About struct {
	Begin   time.Time    `json:"begin"`
	Commit  string       `json:"commit"`
	Command string       `json:"command"`
	Quick   bool         `json:"quick,omitempty"`
	Rounds  int          `json:"rounds"`
	Seconds float64      `json:"seconds"`
	Warmup  float64      `json:"warmup"`
	Quiet   float64      `json:"quiet"` // share of a core
	Host    host.Host    `json:"host"`
	Charges host.Charges `json:"charges"`
	LeftOut []LeftOut    `json:"left_out,omitempty"`
}

// LeftOut is a server that could not compete.
type LeftOut struct {
	Server string `json:"server"`
	Why    string `json:"why"`
}

// End says how a run ended. A record without one is of a run that was killed.
type End struct {
	Interrupted bool         `json:"interrupted,omitempty"`
	Minutes     float64      `json:"minutes"`
	Charges     host.Charges `json:"charges"` // at the end
}

// line is one line of a record.
type line struct {
	About *About `json:"about,omitempty"`
	End   *End   `json:"end,omitempty"`
	*sample.Sample
}

// Writer writes a record during a run.
type Writer struct{ w io.Writer }

// NewWriter begins a record.
func NewWriter(w io.Writer, a *About) (*Writer, error) {
	out := &Writer{w}
	return out, out.put(line{About: a})
}

// Add adds a sample.
func (w *Writer) Add(s *sample.Sample) error { return w.put(line{Sample: s}) }

// Close writes how the run ended.
func (w *Writer) Close(e *End) error { return w.put(line{End: e}) }

// put writes a line by one call, so that a run which is killed leaves whole lines.
func (w *Writer) put(l line) error {
	b, err := json.Marshal(l)
	if err != nil {
		return err
	}
	_, err = w.w.Write(append(b, '\n'))
	return err
}

// lineMax is the longest line of a record, in bytes.
const lineMax = 1 << 20

// Read reads a record. Its last line may be cut short, if the run was killed.
func Read(r io.Reader) (*Record, error) {
	var rec Record
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, lineMax)
	var bad error
	for n := 1; lines.Scan(); n++ {
		if bad != nil {
			return nil, bad
		}
		var l line
		if err := json.Unmarshal(lines.Bytes(), &l); err != nil {
			bad = fmt.Errorf("line %d: %w", n, err)
			continue
		}
		switch {
		case l.About != nil && n == 1:
			rec.About = *l.About
		case l.End != nil:
			rec.End = *l.End
		case l.Sample != nil && l.Cell != "" && l.Server != "":
			rec.Samples = append(rec.Samples, *l.Sample)
		default:
			return nil, fmt.Errorf("line %d is no sample", n)
		}
	}
	if rec.About.Begin.IsZero() {
		return nil, fmt.Errorf("this is no record of compare: the first line does not say what it is about")
	}
	return &rec, lines.Err()
}
