package debug

import (
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"runtime/metrics"
	"slices"
	"time"

	"ringo"
	"ringo/internal/census"
	"ringo/stats"
)

// started is about when the process started.
var started = time.Now()

// loopName returns the API's name of a loop, RUN.INDEX.
func loopName(l *ringo.Loop) string { return fmt.Sprintf("%d.%d", l.Info().Run, l.Index()) }

// wanted returns the loops that a query asks for.
func (q *query) wanted() ([]*ringo.Loop, error) {
	all, name := ringo.Loops(), q.get("loop")
	slices.SortFunc(all, func(a, b *ringo.Loop) int {
		return cmp.Or(cmp.Compare(a.Info().Run, b.Info().Run), cmp.Compare(a.Index(), b.Index()))
	})
	if name == "" {
		return all, nil
	}
	for _, l := range all {
		if loopName(l) == name {
			return []*ringo.Loop{l}, nil
		}
	}
	return nil, fmt.Errorf("loop=%.20q: no such loop runs", name)
}

// process is what the API reports about the process.
type process struct {
	Name       string `json:"name"`
	PID        int    `json:"pid"`
	Go         string `json:"go"`
	OS         string `json:"os"`
	CPUs       int    `json:"cpus"`
	GOMAXPROCS int    `json:"gomaxprocs"`
	Goroutines int    `json:"goroutines"`
	Memory     uint64 `json:"memory"` // bytes that Go has taken from the system
	Heap       uint64 `json:"heap"`   // bytes of live and dead objects
	Up         int64  `json:"up"`
}

func processNow() process {
	samples := []metrics.Sample{
		{Name: "/memory/classes/total:bytes"}, {Name: "/memory/classes/heap/objects:bytes"},
	}
	metrics.Read(samples)
	return process{
		Name: filepath.Base(os.Args[0]), PID: os.Getpid(), Go: runtime.Version(),
		OS: runtime.GOOS + "/" + runtime.GOARCH, CPUs: runtime.NumCPU(),
		GOMAXPROCS: runtime.GOMAXPROCS(0), Goroutines: runtime.NumGoroutine(),
		Memory: samples[0].Value.Uint64(), Heap: samples[1].Value.Uint64(), Up: int64(time.Since(started)),
	}
}

// loops answers with the process, its loops, and the lanes of each Run.
func loops(q *query) (any, error) {
	which, err := q.wanted()
	if err != nil {
		return nil, err
	}
	list, lanes, begun := []any{}, map[string]any{}, time.Now()
	counted := census.AskEach(len(which), func(i int) stats.Loop { return which[i].Stats() })
	for i, l := range which {
		counts, info := fields(counted[i]).(map[string]any), l.Info()
		lanes[fmt.Sprint(info.Run)] = counts["lanes"] // the same for all loops of the Run
		delete(counts, "lanes")
		var held any // nil: nothing holds the loop
		if counts["held"].(time.Duration) > 0 {
			held = presentHold(l)
		}
		list = append(list, map[string]any{
			"loop": loopName(l), "run": info.Run, "index": l.Index(), "held": held, "info": fields(info),
			"stats": counts,
		})
	}
	return map[string]any{"now": moment(time.Now()), "process": processNow(), "loops": list, "lanes": lanes,
		"took": int64(time.Since(begun))}, nil
}
