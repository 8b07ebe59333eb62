// Servers within a task.
package main

import (
	"context"
	"log"

	"ringo"
	"ringo/sock"
	"ringo/sock/sockhttp"
)

func main() {
	log.Fatal(ringo.Run(context.Background(), nil, func(l *ringo.Loop) error {
		l.Go(func() {
			sockhttp.ListenAndServe(l.Context(), nil, ":7001", nil) // want `sockhttp.ListenAndServe fails`
		})
		l.Go(func() {
			s := &sockhttp.Server{}
			s.ListenAndServeTLS(l.Context(), nil, ":7002", "", "") // want `Server\).ListenAndServeTLS fails`
		})
		return sock.ListenAndServe(l.Context(), nil, "tcp", ":7000", func(c *sock.Conn) {}) // want `sock.ListenAndServe fails`
	}))
}
