package server

import (
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"strings"

	"ringo/debug"
)

// openConsole serves package debug's console where -debug says, and says where, until stop is called.
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

// onlyHere refuses requests for another host's name: a page of another site can have its name stand for an address of
// this machine, and would be taken for the console's own.
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
		if strings.EqualFold(host, e.host) { // which may be a name of a loopback address, as the host's own often is
			r = r.WithContext(r.Context())
			r.Host = "localhost"
		}
		h.ServeHTTP(w, r)
	})
}
