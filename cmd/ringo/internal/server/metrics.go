package server

import (
	"fmt"
	"net/http"

	"ringo/metrics"
)

// openMetrics serves /metrics at the endpoint until stop is called, and prints the URL. The page has the metrics of the
// loops and, after them, those of Server.Metrics.
func (e *endpoint) openMetrics(s *Server) (stop func(), err error) {
	ln, err := e.listen(s)
	if err != nil {
		return nil, err
	}
	fmt.Fprintf(s.Stderr, "metrics http://%v/metrics\n", ln.Addr())
	loops, mux := metrics.Handler(), http.NewServeMux()
	mux.HandleFunc("GET /metrics", func(w http.ResponseWriter, r *http.Request) {
		loops.ServeHTTP(w, r)
		if s.Metrics != nil {
			s.Metrics(w)
		}
	})
	return e.serve(s, ln, mux), nil
}
