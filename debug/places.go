package debug

import (
	"ringo"
	"ringo/internal/kernel"
	"ringo/internal/loop"
	"ringo/internal/places"
)

// Places describes the CPUs that the process may use, and the loops that a Run would make on them.
type Places struct {
	CPUs  string  `json:"cpus"`  // those the process may use, as "0-3,8"; "" if unknown
	Cores int     `json:"cores"` // cores with such CPUs
	Nodes int     `json:"nodes"` // memory nodes (NUMA) with such CPUs
	Quota float64 `json:"quota"` // in CPUs, by the process's cgroups and those above; 0: none
	Plans []Plan  `json:"plans"` // for each Config.Place, Anywhere first
}

// A Plan is how many loops a Run would make if its Config set only Place, and on which CPUs.
type Plan struct {
	Place string   `json:"place"`
	Loops int      `json:"loops"`          // 0 if it fails
	Why   string   `json:"why,omitempty"`  // why there are that many, as in stats.Info
	CPUs  []string `json:"cpus,omitempty"` // the CPUs of each loop; nil: no loop is bound
	Error string   `json:"error,omitempty"`
}

// FindPlaces reads what the system says about its CPUs, and plans the loops for each Config.Place. It reads some files
// for each CPU. Any goroutine may call it; a task should call it in Loop.Offload.
func FindPlaces() *Places {
	cpus, _ := kernel.CPUs() // a policy that needs them says why there are none
	m := places.Read(kernel.Root(), cpus)
	r := &Places{CPUs: places.List(cpus), Cores: m.Cores(), Nodes: m.Nodes(), Quota: m.Quota}
	for _, policy := range places.Policies {
		p := Plan{Place: policy.String()}
		cfg, err := loop.Resolve(&ringo.Config{Place: ringo.Placement(policy)})
		if err != nil {
			p.Error = err.Error()
		} else {
			p.Loops, p.Why = cfg.Plan.Loops, cfg.Plan.Why
			for _, set := range cfg.Plan.Sets {
				p.CPUs = append(p.CPUs, places.List(set))
			}
		}
		r.Plans = append(r.Plans, p)
	}
	return r
}
