package server

import (
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"strings"

	"ringo/debug"
)

// openConsole serves the console of package debug at the endpoint until stop is called. It prints the URL, and a
// warning if other machines can reach it.
func (e *endpoint) openConsole(s *Server) (stop func(), err error) {
	ln, err := e.listen(s)
	if err != nil {
		return nil, err
	}
	fmt.Fprintf(s.Stderr, "console http://%v/\n", ln.Addr())
	if at, ok := ln.Addr().(*net.TCPAddr); ok && !at.IP.IsLoopback() {
		fmt.Fprintln(s.Stderr, "warning: the console can be reached from other machines, and asks for no password")
	}
	return e.serve(s, ln, e.onlyHere(debug.Handler())), nil
}

// onlyHere refuses requests whose Host is neither an IP address, localhost, nor the host of the flag. Else a page of
// another site could make its own name resolve to an address of this machine (DNS rebinding), and a browser would let
// it use the console as its own origin.
func (e *endpoint) onlyHere(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host := r.Host
		if name, _, err := net.SplitHostPort(host); err == nil {
			host = name
		}
		_, err := netip.ParseAddr(strings.Trim(host, "[]"))
		if err != nil && !strings.EqualFold(host, "localhost") && !strings.EqualFold(host, e.host) {
			http.Error(w, "the console is not known by this name: use its address", http.StatusMisdirectedRequest)
			return
		}
		if strings.EqualFold(host, e.host) { // may resolve to loopback, as the machine's name often does
			r = r.WithContext(r.Context())
			r.Host = "localhost"
		}
		h.ServeHTTP(w, r)
	})
}
