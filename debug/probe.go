package debug

import (
	"sync"

	"ringo"
	"ringo/uring"
)

// probed is what the kernel has answered, the first time that somebody asked: it takes some ten milliseconds.
var probed = sync.OnceValues(func() (map[string]any, error) {
	report, err := uring.Probe()
	if err != nil {
		return nil, err
	}
	aio := ""
	if err := ringo.NativeAIO(); err != nil {
		aio = err.Error()
	}
	defects := []any{}
	for _, d := range ringo.Defects(report) {
		defects = append(defects, fields(d))
	}
	return map[string]any{"uring": report, "drivers": ringo.Drivers(), "defects": defects, "aio": aio}, nil
})

// probe tells what io_uring offers here.
func probe(*query) (any, error) { return probed() }
