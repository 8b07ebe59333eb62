package ringoprom_test

import (
	"context"
	"fmt"
	"log"

	"github.com/prometheus/client_golang/prometheus"

	"ringo"
	ringoprom "ringo/metrics/prometheus"
)

// A registry takes one collector, for all loops of the process. promhttp serves what it gathers.
func ExampleNewCollector() {
	registry := prometheus.NewRegistry()
	registry.MustRegister(ringoprom.NewCollector())
	err := ringo.Run(context.Background(), &ringo.Config{Loops: 1}, func(l *ringo.Loop) error {
		return l.Offload(func(context.Context) error {
			families, err := registry.Gather()
			for _, family := range families {
				if family.GetName() == "ringo_loop_tasks" {
					fmt.Println(family.GetName(), family.GetMetric()[0].GetGauge().GetValue())
				}
			}
			return err
		})
	})
	if err != nil {
		log.Fatal(err)
	}
	// Output: ringo_loop_tasks 1
}
