package debug

import (
	"sync"

	"ringo"
	"ringo/internal/driver/open"
	"ringo/uring"
)

// A Report is what the kernel offers.
type Report struct {
	Uring   *uring.Report `json:"uring"`
	Drivers []string      `json:"drivers"` // as ringo.Drivers
	Defects []Defect      `json:"defects"`
	// AIO is why the kernel's AIO, io_submit(2), can't read and write files opened with O_DIRECT, so that threads do it
	// where a loop has no io_uring; "" if it can.
	AIO string `json:"aio"`
}

// A Defect is a known bug of this kernel, or of the one that RINGO_MASK imitates, that no self-test detects, and that
// loses or corrupts data. The uring driver does not use what it affects.
type Defect struct {
	Check string `json:"check"` // a Check of package uring
	Until string `json:"until"` // the first Linux release that fixes it, "6.8"
	Why   string `json:"why"`   // what goes wrong, with the source
}

// Probe finds out what the kernel offers, by trying. It blocks for some ten milliseconds. Any goroutine may call it; a
// task should call it in Loop.Offload.
func Probe() (*Report, error) {
	r := &Report{Drivers: ringo.Drivers(), Defects: []Defect{}}
	var err error
	if r.Uring, err = uring.Probe(); err != nil {
		return nil, err
	}
	if r.Uring.Usable {
		for _, d := range open.Distrusted(r.Uring.System) {
			r.Defects = append(r.Defects, Defect{Check: d.Check, Until: d.Below, Why: d.Why})
		}
	}
	if err := open.NativeAIO(); err != nil {
		r.AIO = err.Error()
	}
	return r, nil
}

// prober keeps the kernel's answers to the first request.
type prober struct {
	mu   sync.Mutex
	find func() (*Report, error)
	kept *Report
}

// get returns the Report that is kept, or probes the kernel. It keeps no error and no Report with a refusal:
// descriptors or memory may have been short at the time.
func (p *prober) get() (*Report, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.kept != nil {
		return p.kept, nil
	}
	r, err := p.find()
	if err != nil {
		return nil, err
	}
	if r.Uring.Refusal == nil && r.AIO == "" {
		p.kept = r
	}
	return r, nil
}

var probed = prober{find: Probe}

// probe answers with what the kernel offers.
func probe(*query) (any, error) { return probed.get() }
