package metrics_test

import (
	"bufio"
	"context"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"

	"ringo"
	"ringo/metrics"
)

// Prometheus scrapes a page of an ordinary HTTP server.
func ExampleHandler() {
	mux := http.NewServeMux()
	mux.Handle("/metrics", metrics.Handler())
	server := httptest.NewServer(mux) // a program calls http.ListenAndServe
	defer server.Close()
	err := ringo.Run(context.Background(), &ringo.Config{Loops: 1}, func(l *ringo.Loop) error {
		return l.Offload(func(context.Context) error {
			page, err := server.Client().Get(server.URL + "/metrics")
			if err != nil {
				return err
			}
			defer page.Body.Close()
			lines := bufio.NewScanner(page.Body)
			for lines.Scan() {
				if strings.HasPrefix(lines.Text(), "# TYPE ringo_loop_tasks") {
					fmt.Println(lines.Text())
				}
			}
			return lines.Err()
		})
	})
	if err != nil {
		log.Fatal(err)
	}
	// Output: # TYPE ringo_loop_tasks gauge
}

// A program looks at its own metrics: here how many tasks there are, on all loops together.
func ExampleEach() {
	err := ringo.Run(context.Background(), &ringo.Config{Loops: 1}, func(l *ringo.Loop) error {
		tasks := 0.0
		metrics.Each(func(s metrics.Sample) {
			if s.Metric.Name == "ringo_loop_tasks" {
				tasks += s.Value
			}
		})
		fmt.Println(tasks)
		return nil
	})
	if err != nil {
		log.Fatal(err)
	}
	// Output: 1
}

// All lists what there is, with its name in either convention.
func ExampleAll() {
	for _, m := range metrics.All() {
		if strings.HasPrefix(m.Name, "ringo_loop_parks") {
			fmt.Println(m.Name, m.Dotted(), m.Kind)
		}
	}
	// Output: ringo_loop_parks_total ringo.loop.parks counter
}
