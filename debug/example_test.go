package debug_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"
	"time"

	"ringo"
	"ringo/debug"
)

// The console is a handler for the program's HTTP server on a loopback address.
func ExampleHandler() {
	mux := http.NewServeMux()
	mux.Handle("/debug/ringo/", debug.Handler())
	server := httptest.NewServer(mux) // a program calls http.ListenAndServe("localhost:6060", mux)
	defer server.Close()
	page, err := server.Client().Get(server.URL + "/debug/ringo/")
	if err != nil {
		log.Fatal(err)
	}
	defer page.Body.Close()
	fmt.Println(page.Status, page.Header.Get("Content-Type"))
	// Output: 200 OK text/html; charset=utf-8
}

// What the page shows is there as JSON for scripts: here how many tasks a text is found in.
func ExampleHandler_api() {
	server := httptest.NewServer(debug.Handler())
	defer server.Close()
	err := ringo.Run(context.Background(), &ringo.Config{Loops: 1}, func(l *ringo.Loop) error {
		cleaner := l.GoNamed("cleaner", func() { l.Sleep(time.Hour) })
		defer cleaner.Cancel()
		return l.Offload(func(context.Context) error {
			answer, err := server.Client().Get(server.URL + "/api/tasks?filter=cleaner")
			if err != nil {
				return err
			}
			defer answer.Body.Close()
			var tasks struct{ Matched int }
			err = json.NewDecoder(answer.Body).Decode(&tasks)
			fmt.Println(tasks.Matched)
			return err
		})
	})
	if err != nil {
		log.Fatal(err)
	}
	// Output: 1
}

// Which drivers work here, before a program is deployed. The command "ringo probe" prints the whole report.
func ExampleProbe() {
	report, err := debug.Probe()
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(len(report.Drivers) > 0)
	// Output: true
}

// How many loops a Run would make of this machine's processors, by Config.Place.
func ExampleFindPlaces() {
	for _, plan := range debug.FindPlaces().Plans {
		if plan.Place == "Anywhere" {
			fmt.Println(plan.Place, plan.Loops > 0)
		}
	}
	// Output: Anywhere true
}
